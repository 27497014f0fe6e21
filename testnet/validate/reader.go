// Package validate is an independent reader of orderers' ledgers: it says what
// became of the transactions of a load and whether the nodes agree.
//
// It reads the block files (spec 7.9) with a parser of its own and computes
// hashes by itself, so that a mistake in the engine's ledger or hash code
// cannot hide from it. It only reads, also while a node appends.
package validate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"sort"
)

// maxRecord bounds a block record, in bytes, against a damaged length.
const maxRecord = 1 << 30

// Block is a block as it stands in a block file.
type Block struct {
	Number       uint64
	DataHash     []byte
	PreviousHash []byte
	Envelopes    [][]byte
	Metadata     [][]byte
}

// HeaderHash is the SHA-256 of the block header's ASN.1 form (spec 7.7).
func (b *Block) HeaderHash() [32]byte {
	num := []byte{byte(b.Number)}
	if b.Number > 0xff {
		num = binary.BigEndian.AppendUint64(nil, b.Number)
		num = num[bits.LeadingZeros64(b.Number)/8:]
	}
	if num[0]&0x80 != 0 { // an INTEGER is signed
		num = append([]byte{0}, num...)
	}
	var body []byte
	body = appendTLV(body, 0x02, num)
	body = appendTLV(body, 0x04, b.PreviousHash)
	body = appendTLV(body, 0x04, b.DataHash)
	return sha256.Sum256(appendTLV(nil, 0x30, body))
}

func appendTLV(dst []byte, tag byte, value []byte) []byte {
	dst = append(dst, tag)
	switch n := len(value); {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n < 0x100:
		dst = append(dst, 0x81, byte(n))
	default:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, value...)
}

// dataHash is the SHA-256 of all envelopes one after the other.
func (b *Block) dataHash() []byte {
	h := sha256.New()
	for _, e := range b.Envelopes {
		h.Write(e)
	}
	return h.Sum(nil)
}

// Channels returns the channels that a ledger folder (FileLedger.Location)
// has, sorted; none if there is no such folder.
func Channels(ledgerDir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(ledgerDir, "chains"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the channels of a ledger: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Damage is a block file or chain that is not what an orderer may write.
type Damage struct {
	File  string
	Block uint64
	Text  string
}

// Error names file and block.
func (d *Damage) Error() string { return fmt.Sprintf("%s: block %d: %s", d.File, d.Block, d.Text) }

// Read calls fn for every whole block of a channel, in order, after checking
// that numbers are dense from 0, that each block refers to the one before, and
// that the data hash fits the data. An unfinished record at the end of the
// last file is left out: the node was killed, or is writing it.
func Read(ledgerDir, channel string, fn func(*Block) error) error {
	files, err := filepath.Glob(filepath.Join(ledgerDir, "chains", channel, "blockfile_*"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	c := chain{}
	for i, file := range files {
		if err := readFile(file, i == len(files)-1, func(b *Block) error {
			if err := c.check(file, b); err != nil {
				return err
			}
			return fn(b)
		}); err != nil {
			return err
		}
	}
	return nil
}

type chain struct {
	next uint64
	last [32]byte
}

func (c *chain) check(file string, b *Block) error {
	if b.Number != c.next {
		return &Damage{file, b.Number, fmt.Sprintf("number %d was expected", c.next)}
	}
	if b.Number > 0 && !bytes.Equal(b.PreviousHash, c.last[:]) {
		return &Damage{file, b.Number, fmt.Sprintf("its previous hash is %x, the block before has %x", b.PreviousHash, c.last)}
	}
	if h := b.dataHash(); !bytes.Equal(h, b.DataHash) {
		return &Damage{file, b.Number, fmt.Sprintf("its data hash is %x, its data have %x", b.DataHash, h)}
	}
	c.next, c.last = b.Number+1, b.HeaderHash()
	return nil
}

func readFile(file string, last bool, fn func(*Block) error) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading a ledger: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for number := uint64(0); ; number++ {
		size, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) && size == 0 {
			return nil
		}
		if torn(err) && last {
			return nil
		}
		if err != nil {
			return &Damage{file, number, "unreadable length: " + err.Error()}
		}
		if size == 0 || size > maxRecord {
			return &Damage{file, number, fmt.Sprintf("a record of %d bytes", size)}
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(r, record); torn(err) && last {
			return nil
		} else if err != nil {
			return &Damage{file, number, "unreadable record: " + err.Error()}
		}
		b, err := parseBlock(record)
		if err != nil {
			return &Damage{file, number, err.Error()}
		}
		if err := fn(b); err != nil {
			return err
		}
	}
}

func torn(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

var errShort = errors.New("a field reaches beyond its record")

// fields reads the varints and byte strings of a record.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) varint() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.err = errShort
		f.rest = nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) bytes() []byte {
	n := f.varint()
	if n > uint64(len(f.rest)) {
		f.err = errShort
		f.rest = nil
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) list() [][]byte {
	n := f.varint()
	if n > uint64(len(f.rest)) { // every entry takes a byte at least
		f.err = errShort
		return nil
	}
	var all [][]byte
	for range n {
		all = append(all, f.bytes())
	}
	return all
}

func parseBlock(record []byte) (*Block, error) {
	f := &fields{rest: record}
	b := &Block{Number: f.varint(), DataHash: f.bytes(), PreviousHash: f.bytes(), Envelopes: f.list(), Metadata: f.list()}
	if f.err != nil {
		return nil, f.err
	}
	if len(f.rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the block", len(f.rest))
	}
	return b, nil
}

// Hash is a header hash in hex.
func Hash(h [32]byte) string { return hex.EncodeToString(h[:]) }
