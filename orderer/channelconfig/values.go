package channelconfig

import (
	"fmt"
	"maps"
	"slices"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// decodeValues decodes all values of a group into the messages of into; a
// value without one is an error.
func decodeValues(group *cb.ConfigGroup, into map[string]proto.Message) error {
	for _, key := range sortedKeys(group.GetValues()) {
		msg, ok := into[key]
		if !ok {
			return fmt.Errorf("failed to deserialize values: Unexpected key %s", key)
		}
		if err := proto.Unmarshal(group.Values[key].GetValue(), msg); err != nil {
			return fmt.Errorf("failed to deserialize values: value %s: %w", key, err)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
