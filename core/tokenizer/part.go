package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	// maxNesting is how deep Sequence parts may lie in each other; files in use have two levels.
	maxNesting = 16
	// maxGrowth is how many times longer a part line may make a text. A file from anywhere could otherwise chain
	// replacements until a line of text fills the memory.
	maxGrowth = 256
)

// isNull reports a part that is absent or null: both mean that there is none.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// kindOf reads the type of a part, and refuses one that is not supported by naming those that are.
func kindOf(raw json.RawMessage, role string, depth int, supported []string) (string, error) {
	if depth > maxNesting {
		return "", fmt.Errorf("%s: parts are nested deeper than %d levels", role, maxNesting)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return "", fmt.Errorf("%s: %w", role, err)
	}
	if !slices.Contains(supported, head.Type) {
		return "", fmt.Errorf("%s %q is not supported; supported are %s", role, head.Type, strings.Join(supported, ", "))
	}
	return head.Type, nil
}

// fields reads the fields of a part of which the type is known.
func fields(raw json.RawMessage, role, kind string, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s %s: %w", role, kind, err)
	}
	return nil
}

func checkGrowth(role string, growth float64) error {
	if growth > maxGrowth {
		return fmt.Errorf("%s: could make a text %.0f times longer; at most %d times is accepted", role, growth, maxGrowth)
	}
	return nil
}
