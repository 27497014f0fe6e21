package runbooktest

import "github.com/cockroachdb/datadriven"

// handleNetwork begins a new network.
func (env *Env) handleNetwork(d *datadriven.TestData) error {
	orderers, err := number(d, "orderers", 3)
	if err != nil {
		return err
	}
	zk, err := number(d, "zookeeper", 0)
	if err != nil {
		return err
	}
	spare, err := number(d, "spare", 0)
	if err != nil {
		return err
	}
	env.Net = New(Options{
		Orderers: orderers, Brokers: 2, ZooKeeper: zk, Channels: list(d, "channels"), Raft: d.HasArg("raft"), Spare: spare,
	})
	return nil
}
