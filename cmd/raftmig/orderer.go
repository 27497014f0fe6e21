package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"raftmig/orderer/flogging"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/server"
)

// Exit codes of the orderer: Fabric's, which supervisors know.
const (
	ordererExitConfig = 1 // the command line or the configuration cannot be read
	ordererExitPanic  = 2 // a condition that must end the process
)

// newOrdererCommand is the ordering engine. Under the name "orderer" the
// binary is this command, with Fabric's command line: start (or nothing) and
// version; FABRIC_CFG_PATH, ORDERER_* and FABRIC_LOGGING_* configure it.
func newOrdererCommand() *cobra.Command {
	start := func(cmd *cobra.Command, _ []string) error { return runOrderer(cmd.Context()) }
	cmd := &cobra.Command{
		Use:   "orderer",
		Short: "Run an ordering node",
		Long: `Runs an ordering node on orderer.yaml in the folder that FABRIC_CFG_PATH names.
Variables ORDERER_<SECTION>_<KEY> override the file; FABRIC_LOGGING_SPEC and
FABRIC_LOGGING_FORMAT say what is logged and how.

Exit codes: 0 stopped by a signal, 1 the configuration or a file that it names
cannot be read, or an address cannot be listened on, 2 something else happened
that must end the process (the log's last lines say what).`,
		Example: `  FABRIC_CFG_PATH=/etc/hyperledger/fabric raftmig orderer
  ln -s "$(command -v raftmig)" /usr/local/bin/orderer   # and it is Fabric's orderer`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true, RunE: start,
	}
	// Fabric's exit code of a wrong command line
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withCode(ordererExitConfig, err) })
	cmd.AddCommand(
		&cobra.Command{
			Use: "start", Short: "Start the orderer node", Example: "  FABRIC_CFG_PATH=/etc/hyperledger/fabric raftmig orderer start",
			Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true, RunE: start,
		},
		&cobra.Command{Use: "version", Short: "Show version information", Example: "  raftmig orderer version", Args: cobra.NoArgs, Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprint(cmd.OutOrStdout(), server.VersionInfo(ordererBuild()))
		}},
	)
	return cmd
}

// ordererBuild is this binary's version, from what the Go linker recorded.
func ordererBuild() server.Build { return server.Build{Version: version} }

func runOrderer(ctx context.Context) error {
	logging, err := flogging.New(flogging.Config{
		Format: os.Getenv("FABRIC_LOGGING_FORMAT"), LogSpec: os.Getenv("FABRIC_LOGGING_SPEC"), Writer: os.Stderr,
	})
	if err != nil {
		return withCode(ordererExitPanic, fmt.Errorf("FABRIC_LOGGING_SPEC: %w", err))
	}
	log := logging.Logger("orderer.common.server")
	conf, err := localconfig.Load("", os.Environ())
	var refused *localconfig.Refusal
	if errors.As(err, &refused) {
		return withCode(ordererExitPanic, flogging.Panicf(log, "%w", err))
	}
	if err != nil {
		log.Error("failed to parse config: ", err)
		return withCode(ordererExitConfig, errors.New("failed to parse config"))
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	defer signal.Stop(signals)
	go handleSignals(ctx, signals, cancel, log)
	if err := server.Run(ctx, conf, server.Options{Logging: logging, Build: ordererBuild()}); err != nil {
		return withCode(server.ExitCode(err), err)
	}
	return nil
}

// handleSignals stops the orderer on SIGTERM and SIGINT, and logs all
// goroutines on SIGUSR1, until ctx ends.
func handleSignals(ctx context.Context, signals <-chan os.Signal, stop func(), log *zap.SugaredLogger) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			number, _ := s.(syscall.Signal)
			log.Infof("Received signal: %d (%s)", number, s)
			if s != syscall.SIGUSR1 {
				stop()
				return
			}
			buf := make([]byte, 1<<20)
			log.Named("diag").Infof("Go routines report:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
}
