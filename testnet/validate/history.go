package validate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// Record is one line of a history file, in JSON: what became of a transaction
// as its sender saw it. Package load writes it.
type Record struct {
	TxID    string `json:"tx_id"`
	Channel string `json:"channel"`
	Node    string `json:"node,omitempty"` // that answered last
	// Status is "acknowledged" (SUCCESS), "refused" (another status) or
	// "unknown" (no answer).
	Status   string `json:"status"`
	Attempts int    `json:"attempts,omitempty"`
	Resent   bool   `json:"resent,omitempty"` // sent again after an unclear answer
	Info     string `json:"info,omitempty"`   // of the last refusal or failure
}

// Statuses of records.
const (
	Acknowledged = "acknowledged"
	Refused      = "refused"
	Unknown      = "unknown"
)

// ReadHistory reads a history file. A torn last line, left by a killed load,
// is passed over.
func ReadHistory(file string) ([]Sent, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the history of a load: %w", err)
	}
	defer f.Close()
	var sent []Sent
	var torn error
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if torn != nil {
			return nil, torn
		}
		var r Record
		err := json.Unmarshal(lines.Bytes(), &r)
		if err == nil && (r.TxID == "" || r.Channel == "" || r.Status == "") {
			err = fmt.Errorf("it lacks tx_id, channel or status")
		}
		if err != nil {
			torn = fmt.Errorf("%s: line %d: %w", file, n, err)
			continue
		}
		sent = append(sent, Sent{TxID: r.TxID, Channel: r.Channel, Acknowledged: r.Status == Acknowledged, Resent: r.Resent})
	}
	return sent, lines.Err()
}
