package main

import (
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"raftmig/testnet/broker"
)

func newBrokerCommand() *cobra.Command {
	o := broker.Options{}
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run an embedded Kafka for rehearsals",
		Long: `Run an embedded Kafka for rehearsals: several brokers in one process, with
their topics on disk. It is what 'raftmig testnet' starts. SIGTERM ends it in
order.

Orderers need Kafka.Version 1.0.0 or later with it.`,
		Example: "  raftmig broker --data ./kafka --ports 9092,9093,9094,9095",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, p := range o.Ports {
				if p < 0 || p > 65535 {
					return withCode(exitUsage, fmt.Errorf("%d is not a port", p))
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			o.Log = cmd.ErrOrStderr()
			return broker.Run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Host, "host", "127.0.0.1", "address to listen on, also given to clients")
	f.IntSliceVar(&o.Ports, "ports", []int{9092, 9093, 9094, 9095}, "ports, one for each broker")
	f.StringVar(&o.DataDir, "data", "kafka", "folder that keeps the topics")
	f.BoolVar(&o.Verbose, "verbose", false, "log every request")
	return cmd
}
