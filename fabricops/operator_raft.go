package fabricops

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/internal/durable"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/participation"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// The effects of operations on Raft.

// channelsAtATime bounds the channels that are read at a time, each on all nodes.
const channelsAtATime = 8

// raftMetadata applies the operation to the Raft metadata of every channel. All
// results must be the same bytes.
func (o *Operator) raftMetadata(ctx context.Context, e runbook.Effect) (runbook.Evidence, error) {
	views := make([]*channelcfg.View, len(e.Channels))
	var group errgroup.Group
	group.SetLimit(channelsAtATime)
	for i, channel := range e.Channels {
		group.Go(func() (err error) {
			views[i], _, err = o.submitter.Read(ctx, channel)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return runbook.Evidence{}, err
	}
	var goal []byte
	for i, v := range views {
		if v.Type() != runbook.TypeRaft {
			return runbook.Evidence{}, &runbook.Problem{
				What: "the channel is not on Raft", Where: v.Channel, Why: "its consensus type is " + v.Type(),
				Hint: "Migrate the network first: raftmig run.",
			}
		}
		next, err := consenters.Next(v.Consensus.Metadata, *e.Operation, o.inv)
		if err != nil {
			return runbook.Evidence{}, &runbook.Problem{
				What: "the new Raft metadata cannot be computed", Where: v.Channel, Why: err.Error(),
				Hint: "Correct what was asked for, or the orderers in raftmig.yaml and the files they name.",
			}
		}
		if i > 0 && !bytes.Equal(next, goal) {
			return runbook.Evidence{}, o.unequal(e.Channels, views)
		}
		goal = next
	}
	md, err := consenters.Describe(goal, o.inv)
	if err != nil {
		return runbook.Evidence{}, err
	}
	for _, v := range views {
		old, err := consenters.Describe(v.Consensus.Metadata, o.inv)
		if err != nil {
			return runbook.Evidence{}, err
		}
		if md.Changes = consenters.Differences(old, md); len(md.Changes) > 0 {
			break
		}
	}
	md.Changes = append(md.Changes, endpointChange(*e.Operation, views)...)
	return runbook.Evidence{Summary: fmt.Sprintf("%d consenters, hash %.12s", len(md.Consenters), md.Hash), Metadata: md}, nil
}

// unequal says which channels differ.
func (o *Operator) unequal(channels []string, views []*channelcfg.View) error {
	groups := map[string][]string{}
	for i, v := range views {
		groups[v.MetadataHash()] = append(groups[v.MetadataHash()], channels[i])
	}
	why := ""
	for _, hash := range slices.Sorted(maps.Keys(groups)) { // each time the same text
		why += fmt.Sprintf("; metadata %.12s on %v", hash, groups[hash])
	}
	return &runbook.Problem{
		What: "the channels have different Raft metadata", Where: channels[0], Why: why[min(2, len(why)):],
		Hint: "raftmig keeps consenters and options equal on all channels. Make them equal first: raftmig channel diff shows how they differ, raftmig channel update changes one channel.",
	}
}

// endpointChange says whether the orderer endpoints of some channel will change.
func endpointChange(op runbook.Operation, views []*channelcfg.View) []string {
	for _, v := range views {
		has := slices.Contains(v.Endpoints(), op.Endpoint)
		switch {
		case op.Endpoint == "":
		case op.Kind == runbook.AddConsenter && !has:
			return []string{"orderer endpoint " + op.Endpoint + " joins"}
		case op.Kind == runbook.RemoveConsenter && has:
			return []string{"orderer endpoint " + op.Endpoint + " leaves"}
		}
	}
	return nil
}

// handOver puts the newest config block of the channel where the node begins
// with it, or, where raftmig.yaml does not say that, into the run's folder.
func (o *Operator) handOver(ctx context.Context, e runbook.Effect) (runbook.Evidence, error) {
	node, v, block, from, err := o.blockFor(ctx, e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	file := node.BootstrapFile
	if file == "" || o.inv.SystemChannel == "" {
		file = filepath.Join(o.runDir, "join-"+node.Name+"-"+e.Channel+".block")
	}
	if had := blockIn(file); had != nil && bytes.Equal(protoutil.BlockHeaderHash(had.Header), protoutil.BlockHeaderHash(v.Block.Header)) {
		return runbook.Evidence{Summary: fmt.Sprintf("%s has config block %d of %s already", file, v.Number(), e.Channel), AlreadyDone: true}, nil
	}
	if err := durable.Replace(file, block, 0o644); err != nil {
		return runbook.Evidence{}, err
	}
	return runbook.Evidence{Summary: fmt.Sprintf("config block %d of %s, read from %s, is in %s", v.Number(), e.Channel, from, file)}, nil
}

// blockFor is the newest config block of the effect's channel, which must name
// the effect's node.
func (o *Operator) blockFor(ctx context.Context, e runbook.Effect) (node *inventory.Orderer, v *channelcfg.View, block []byte, from string, err error) {
	if node, err = o.theNode(e); err != nil {
		return nil, nil, nil, "", err
	}
	if v, from, err = o.submitter.Read(ctx, e.Channel); err != nil {
		return nil, nil, nil, "", err
	}
	if !consenters.Names(v.Consensus.Metadata, e.Operation.Consenter) {
		return nil, nil, nil, "", &runbook.Problem{
			What: "the newest config block does not name the node", Where: node.Name, Why: fmt.Sprintf("block %d of %s", v.Number(), e.Channel),
		}
	}
	block, err = protoutil.Marshal(v.Block)
	return node, v, block, from, err
}

// joinChannel has the node join the channel with its newest config block.
func (o *Operator) joinChannel(ctx context.Context, e runbook.Effect) (runbook.Evidence, error) {
	node, v, block, _, err := o.blockFor(ctx, e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	cfg, err := dial.TLSConfig(*node, o.clientCert)
	if err != nil {
		return runbook.Evidence{}, err
	}
	if cfg != nil {
		cfg.ServerName = "" // the Admin endpoint has a host of its own
	}
	already, err := participation.Endpoint{Node: node.Name, URL: node.Participation, TLS: cfg}.Join(ctx, e.Channel, block)
	if err != nil {
		return runbook.Evidence{}, err
	}
	ev := runbook.Evidence{Summary: fmt.Sprintf("%s joined %s with config block %d", node.Name, e.Channel, v.Number()), AlreadyDone: already}
	if already {
		ev.Summary = node.Name + " has " + e.Channel + " already"
	}
	return ev, nil
}

func blockIn(file string) *cb.Block {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	block, err := protoutil.UnmarshalBlock(b)
	if err != nil || block.Header == nil {
		return nil
	}
	return block
}

// theNode is the one orderer that an effect names.
func (o *Operator) theNode(e runbook.Effect) (*inventory.Orderer, error) {
	for i := range o.inv.Orderers {
		if len(e.Nodes) == 1 && o.inv.Orderers[i].Name == e.Nodes[0] {
			return &o.inv.Orderers[i], nil
		}
	}
	return nil, &runbook.Problem{What: "raftmig.yaml does not have the orderer", Where: fmt.Sprint(e.Nodes)}
}

// installCertificates puts the operation's files in the place of the node's.
// What is there already stays; the old files are kept with .old at the end.
func (o *Operator) installCertificates(ctx context.Context, e runbook.Effect) (runbook.Evidence, error) {
	node, err := o.theNode(e)
	if err != nil {
		return runbook.Evidence{}, err
	}
	states, err := o.states(ctx, runbook.Effect{Tier: runbook.TierOrderers, Nodes: e.Nodes})
	if err != nil {
		return runbook.Evidence{}, err
	}
	if anyRunning(states) {
		return runbook.Evidence{}, &runbook.Problem{What: "the process runs", Where: node.Name, Why: "its certificates are replaced only while it is down", Hint: "Stop it and retry."}
	}
	files := *e.Operation.Files
	server, client, err := consenters.Certificates(e.Metadata, e.Operation.Consenter)
	if err != nil {
		return runbook.Evidence{}, err
	}
	changed := 0
	for _, f := range []struct {
		from, to string
		want     []byte
		mode     os.FileMode
	}{
		{files.ServerKey, node.ServerKey, nil, 0o600},
		{files.ClientKey, node.ClientKey, nil, 0o600},
		{files.ServerCert, node.ServerCert, server, 0o644},
		{files.ClientCert, node.ClientCert, client, 0o644},
	} {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return runbook.Evidence{}, err
		}
		if f.want != nil && !bytes.Equal(content, f.want) {
			return runbook.Evidence{}, &runbook.Problem{
				What: "the file is not the certificate that the channels have by now", Where: f.from, Hint: "Put the file back that the run began with, and retry.",
			}
		}
		done, err := keepAndReplace(f.to, content, f.mode)
		if err != nil {
			return runbook.Evidence{}, err
		}
		if done {
			changed++
		}
	}
	for _, pair := range [][2]string{{node.ServerCert, node.ServerKey}, {node.ClientCert, node.ClientKey}} {
		if _, err := tls.LoadX509KeyPair(pair[0], pair[1]); err != nil {
			return runbook.Evidence{}, fmt.Errorf("%s and %s: %w", pair[0], pair[1], err)
		}
	}
	return runbook.Evidence{
		Summary:     fmt.Sprintf("%d files of %s replaced, read back, and the keys fit", changed, node.Name),
		AlreadyDone: changed == 0,
	}, nil
}

// keepAndReplace replaces a file, once, and keeps what it was under .old. It
// reports whether it had to.
func keepAndReplace(file string, content []byte, mode os.FileMode) (bool, error) {
	had, err := os.ReadFile(file)
	switch {
	case err == nil && bytes.Equal(had, content):
		return false, nil
	case err == nil:
		if err := durable.Replace(file+".old", had, mode); err != nil {
			return false, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return true, durable.Replace(file, content, mode)
}
