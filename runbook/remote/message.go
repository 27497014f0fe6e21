package remote

import "raftmig/runbook"

// fromServer is one line from the server.
type fromServer struct {
	Update *runbook.Update `json:"update,omitempty"`
	Reply  uint64          `json:"reply,omitempty"`
	Error  string          `json:"error,omitempty"`
	// Refused is set if the error is a refusal of the runbook.
	Refused bool `json:"refused,omitempty"`
	End     bool `json:"end,omitempty"`
}

// fromClient is one line from a client. IDs count from 1.
type fromClient struct {
	ID      uint64          `json:"id"`
	Command runbook.Command `json:"command"`
}
