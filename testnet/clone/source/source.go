// Package source reads what a network is cloned from: config blocks in files,
// or a running network through Deliver. It only reads, and copies no key.
package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"raftmig/fabricops/channels"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/facts"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/inventory"
	"raftmig/testnet/clone"
)

// Reading is what was read.
type Reading struct {
	Sources []clone.Source
	// Known are the orderers of the inventory in consenter order, nil from files.
	Known []clone.Known
	// Raft are the options of the inventory, zero from files.
	Raft inventory.Raft
	// Warnings tell which ways to find channels were closed.
	Warnings []string
}

// Files reads config blocks, one of each channel.
func Files(files []string) (*Reading, error) {
	r := &Reading{}
	for _, file := range files {
		v, err := channels.ReadBlock(file)
		if err != nil {
			return nil, err
		}
		r.Sources = append(r.Sources, clone.Source{Channel: v.Channel, From: file, Config: v.Config})
	}
	return r, nil
}

// Network reads the newest configuration of every channel of the network that
// an inventory describes, as its first administrator.
func Network(ctx context.Context, file string) (r *Reading, err error) {
	inv, err := inventory.Load(file)
	if err != nil {
		return nil, err
	}
	r = &Reading{Raft: inv.Raft}
	if r.Known, err = known(inv); err != nil {
		return nil, err
	}
	names, err := r.list(ctx, inv)
	if err != nil {
		return nil, err
	}
	network, err := channels.Open(inv)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	for _, name := range names {
		f, err := network.Newest(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("reading the configuration of channel %s: %w", name, err)
		}
		r.Sources = append(r.Sources, clone.Source{Channel: name, From: file + ", node " + f.Node, Config: f.View.Config})
	}
	return r, nil
}

// list finds all channels, as a run does.
func (r *Reading) list(ctx context.Context, inv *inventory.Network) (names []string, err error) {
	id, err := identity.Load(inv.Administrators()[0])
	if err != nil {
		return nil, err
	}
	pool := dial.New(inv.Orderers, id.TLS)
	defer func() { err = errors.Join(err, pool.Close()) }()
	g := &facts.Gatherer{Network: inv, Deliver: deliver.New(pool, id)}
	list, findings, err := g.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding all channels: %w; config blocks in files can be given instead", err)
	}
	for _, f := range findings {
		for _, e := range f.Evidence {
			r.Warnings = append(r.Warnings, f.Summary+": "+e)
		}
	}
	return list.Names, nil
}

// known describes the orderers of an inventory.
func known(inv *inventory.Network) ([]clone.Known, error) {
	var out []clone.Known
	for i := range inv.Orderers {
		o := &inv.Orderers[i]
		k := clone.Known{Name: o.Name, Endpoints: o.AllAddresses()}
		host, port := o.Cluster()
		k.Endpoints = append(k.Endpoints, net.JoinHostPort(host, strconv.Itoa(int(port))))
		if o.ServerCert != "" {
			var err error
			if k.ServerCert, err = os.ReadFile(o.ServerCert); err != nil {
				return nil, fmt.Errorf("reading the certificate of %s: %w", o.Name, err)
			}
		}
		out = append(out, k)
	}
	return out, nil
}
