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

// growth says how long a text of n bytes can become: times·n + plus.
type growth struct{ times, plus float64 }

var sameLength = growth{1, 0}

// then is the growth of g followed by next.
func (g growth) then(next growth) growth {
	return growth{g.times * next.times, g.plus*next.times + next.plus}
}

// checkGrowth bounds what one byte can become: a section between two added tokens may be that short.
func checkGrowth(role string, g growth) error {
	if n := g.times + g.plus; n > maxGrowth {
		return fmt.Errorf("%s: could make a text %.0f times longer; at most %d times is accepted", role, n, maxGrowth)
	}
	return nil
}
