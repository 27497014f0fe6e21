package configtx

import (
	"errors"
	"fmt"
)

// MaxIDLength is the longest channel ID or config element name, in bytes.
const MaxIDLength = 249

// ValidateChannelID returns an error for a name that no channel may have: it
// begins with a lower-case letter, followed by lower-case letters, digits, dots
// and hyphens, and has at most MaxIDLength bytes (spec 7.1).
func ValidateChannelID(id string) error {
	switch {
	case id == "":
		return errors.New("channel ID illegal, cannot be empty")
	case len(id) > MaxIDLength:
		return fmt.Errorf("channel ID illegal, cannot be longer than %d", MaxIDLength)
	case !isLower(id[0]):
		return fmt.Errorf("'%s' contains illegal characters", id)
	}
	for _, c := range []byte(id) {
		if !isLower(c) && !isDigit(c) && c != '.' && c != '-' {
			return fmt.Errorf("'%s' contains illegal characters", id)
		}
	}
	return nil
}

// ValidateConfigID returns an error for a name that no group, value or policy
// of a configuration may have: letters, digits, dots and hyphens, at most
// MaxIDLength bytes, but not "." or ".." (spec 7.1).
func ValidateConfigID(id string) error {
	switch {
	case id == "":
		return errors.New("config ID illegal, cannot be empty")
	case len(id) > MaxIDLength:
		return fmt.Errorf("config ID illegal, cannot be longer than %d", MaxIDLength)
	case id == "." || id == "..":
		return fmt.Errorf("name '%s' for config ID is not allowed", id)
	}
	for _, c := range []byte(id) {
		if !isLower(c) && !isDigit(c) && c != '.' && c != '-' && (c < 'A' || c > 'Z') {
			return fmt.Errorf("config ID '%s' contains illegal characters", id)
		}
	}
	return nil
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
