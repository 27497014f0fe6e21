package validate

import (
	"crypto/sha256"
	"fmt"
)

// Ledger is the content of one channel on one node.
type Ledger struct {
	Node    string
	Channel string
	// Hashes are the header hashes by block number.
	Hashes [][32]byte
	// Transactions counts how often each transaction ID occurs; config
	// transactions are left out. One without an ID has "sha256:" and the hash of
	// its envelope.
	Transactions map[string]int
	// Type and Maintenance are what the newest config block says.
	Type        string
	Maintenance bool
	// Err is set where the ledger is damaged; the rest is what came before.
	Err error
}

// Height is the number of blocks.
func (l *Ledger) Height() uint64 { return uint64(len(l.Hashes)) }

// LastHash is the header hash of the newest block in hex, "" if there is none.
func (l *Ledger) LastHash() string {
	if len(l.Hashes) == 0 {
		return ""
	}
	return Hash(l.Hashes[len(l.Hashes)-1])
}

// ReadLedger reads a channel of the node whose ledger folder is given.
func ReadLedger(node, ledgerDir, channel string) *Ledger {
	l := &Ledger{Node: node, Channel: channel, Transactions: map[string]int{}}
	l.Err = Read(ledgerDir, channel, func(b *Block) error {
		l.Hashes = append(l.Hashes, b.HeaderHash())
		for i, env := range b.Envelopes {
			kind, id, err := header(env)
			if err != nil {
				return fmt.Errorf("block %d, transaction %d: %w", b.Number, i, err)
			}
			switch kind {
			case typeConfig:
				if l.Type, l.Maintenance, err = consensus(env); err != nil {
					return fmt.Errorf("block %d: reading the configuration: %w", b.Number, err)
				}
			case typeOrdererTransaction:
			default:
				if id == "" {
					id = fmt.Sprintf("sha256:%x", sha256.Sum256(env))
				}
				l.Transactions[id]++
			}
		}
		return nil
	})
	return l
}
