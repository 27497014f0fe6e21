package runbooktest

import (
	"fmt"

	"github.com/cockroachdb/datadriven"
)

// handleHurt does to the network what networks do by themselves:
//
//	hurt kill=orderer1            hurt revive=orderer1
//	hurt no-leader=ch1            hurt leader=ch1
//	hurt create-channel=new       hurt foreign-update=ch1
//	hurt refuse-exit              hurt allow-exit
//	hurt spoil-backup
func (env *Env) handleHurt(d *datadriven.TestData) error {
	for _, a := range d.CmdArgs {
		value := ""
		if len(a.Vals) > 0 {
			value = a.Vals[0]
		}
		switch a.Key {
		case "kill":
			env.Net.Kill(value)
		case "revive":
			env.Net.Revive(value)
		case "no-leader", "leader":
			env.Net.NoLeader(value, a.Key == "no-leader")
		case "create-channel":
			return env.Net.CreateChannel(value)
		case "foreign-update":
			env.Net.ForeignUpdate(value)
		case "refuse-exit", "allow-exit":
			env.Net.RefuseExit(a.Key == "refuse-exit")
		case "spoil-backup":
			env.Net.SpoilBackup()
		default:
			return fmt.Errorf("cannot hurt with %s", a.Key)
		}
	}
	return nil
}
