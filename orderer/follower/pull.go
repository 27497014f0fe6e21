package follower

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/cluster"
	"raftmig/orderer/onboarding"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/types"
)

// follow works until this node is a consenter (true) or the chain is halted.
func (c *Chain) follow() (becomeConsenter bool) {
	polls := backOff{least: c.HeightPollMin, most: c.HeightPollMax}
	failures := backOff{least: c.PullRetryMin, most: c.PullRetryMax}
	began := c.view.height
	c.judge()
	for c.ctx.Err() == nil {
		switch next(c.view) {
		case pullToJoin, pull:
			polls.reset()
			if c.pullSome() {
				failures.reset()
			} else {
				c.pause(failures.next())
			}
			c.judge()
		case ask:
			if !c.ask() {
				c.pause(polls.next())
			}
		case wait:
			c.pause(polls.next())
			c.view.asked = false
		case become:
			if c.Evicted && c.view.height == began {
				// nothing is new, and yet others took the chain for another node: one
				// whose ID cannot be found out must not come and go without a pause
				c.pause(c.HeightPollMax)
				if c.ctx.Err() != nil {
					return false
				}
			}
			c.set(types.ConsensusRelationConsenter, types.StatusActive)
			return true
		}
	}
	return false
}

func (c *Chain) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// judge brings membership and status up to date with the ledger.
func (c *Chain) judge() {
	if c.view.height < c.view.join {
		return
	}
	if c.config != c.judged {
		member, err := c.IsChannelMember(c.config)
		if err != nil {
			c.Logger.Errorf("Failed to determine channel membership from config block [%d]: %s", c.config.Header.Number, err)
		}
		c.view.member, c.judged = member && err == nil, c.config
	}
	if !c.view.member {
		c.set(types.ConsensusRelationFollower, types.StatusActive)
	}
}

// ask finds out how far others are.
func (c *Chain) ask() (answered bool) {
	p, err := c.open()
	if err != nil {
		c.Logger.Errorf("Cannot ask other orderers: %s", err)
		return false
	}
	heights, err := p.Heights(c.ctx)
	if err != nil {
		if c.ctx.Err() == nil {
			c.Logger.Errorf("Failed to get latest height and endpoint, error: %s", err)
		}
		return false
	}
	for _, h := range heights {
		c.view.network = max(c.view.network, h)
	}
	c.view.asked = true
	return true
}

// pullSome fetches blocks up to the join block or the network's height, or to
// the next configuration, which may name other orderers. It returns whether it
// got any.
func (c *Chain) pullSome() (progress bool) {
	target := c.view.network
	onboarding := c.view.height < c.view.join
	if onboarding {
		target = c.view.join
	}
	c.view.asked = false
	p, err := c.open()
	if err != nil {
		c.Logger.Errorf("Cannot pull blocks: %s", err)
		return false
	}
	for c.view.height < target {
		number := c.view.height
		block, err := p.PullBlock(c.ctx, number)
		if err == nil {
			err = c.Ledger.Append(block)
		}
		if err != nil {
			if c.ctx.Err() == nil {
				c.Logger.Warnf("Failed to pull block [%d]: %s", number, err)
			}
			c.closePuller()    // its verifier may be ahead of the ledger
			c.view.network = 0 // whoever had so many blocks may have them no more
			if err := c.load(); err != nil {
				c.Logger.Errorf("Cannot read the ledger: %s", err)
			}
			return progress
		}
		progress = true
		c.view.height++
		if protoutil.IsConfigBlock(block) {
			c.config = block
			if c.OnConfig != nil {
				c.OnConfig(block)
			}
			if !onboarding {
				c.closePuller()
				return true
			}
		}
	}
	if onboarding {
		c.Logger.Info("Onboarding finished successfully, pulled blocks up to join-block")
		c.closePuller()
	}
	return progress
}

// open returns a puller that asks the orderers of the join block while
// onboarding, later those of the configuration in force.
func (c *Chain) open() (Puller, error) {
	if c.puller != nil {
		return c.puller, nil
	}
	source := c.config
	if c.view.height < c.view.join {
		source = c.JoinBlock
	}
	endpoints, err := endpointsOf(source)
	if err != nil {
		return nil, err
	}
	// what was verified ahead of the ledger has gone with the puller before
	if c.config != nil {
		if c.verifier, err = onboarding.NewVerifier(c.config); err != nil {
			return nil, err
		}
	} else {
		c.verifier = onboarding.NewGenesisVerifier(c.ChannelID)
	}
	c.puller = c.NewPuller(cluster.PullTarget{
		Channel: c.ChannelID, Endpoints: endpoints, Signer: c.Signer, MaxRetries: c.MaxRetries, Verify: c.verify,
	})
	return c.puller, nil
}

func (c *Chain) closePuller() {
	if c.puller != nil {
		c.puller.Close()
		c.puller = nil
	}
}

// verify checks blocks that follow those pulled before, and that they lead to
// the join block.
func (c *Chain) verify(blocks []*cb.Block) error {
	if j := c.JoinBlock; j != nil {
		for _, b := range blocks {
			if b.GetHeader().GetNumber() == j.Header.Number &&
				!bytes.Equal(protoutil.BlockHeaderHash(b.Header), protoutil.BlockHeaderHash(j.Header)) {
				return fmt.Errorf("block [%d] is not the join-block of that number", j.Header.Number)
			}
		}
	}
	return c.verifier.Verify(blocks)
}

func endpointsOf(configBlock *cb.Block) ([]cluster.Endpoint, error) {
	env, err := protoutil.EnvelopeAt(configBlock, 0)
	if err != nil {
		return nil, err
	}
	config, err := channelconfig.NewBundleFromEnvelope(env)
	if err != nil {
		return nil, err
	}
	o, ok := config.OrdererConfig()
	if !ok {
		return nil, errors.New("the configuration has no Orderer group")
	}
	endpoints := cluster.EndpointsOf(config.ChannelConfig(), o)
	if len(endpoints) == 0 {
		return nil, errors.New("the configuration has no orderer endpoints")
	}
	return endpoints, nil
}
