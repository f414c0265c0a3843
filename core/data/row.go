package data

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"hone/core/chat"
)

// alpaca reads an instruction with material for it, and the answer, as the Stanford Alpaca and Dolly sets write them;
// LLaMA-Factory's system and history stand in front.
func alpaca(material, answer string) func(c columns) ([]chat.Message, error) {
	return func(c columns) ([]chat.Message, error) {
		var v [3]string
		var err error
		for i, name := range []string{"instruction", material, answer} {
			if v[i], err = c.text(name); err != nil {
				return nil, err
			}
		}
		return withHistory(c, chat.Alpaca(v[0], v[1], v[2]))
	}
}

// pair reads a question and its answer, each in a column.
func pair(question, answer string) func(c columns) ([]chat.Message, error) {
	return func(c columns) ([]chat.Message, error) {
		q, err := c.text(question)
		if err != nil {
			return nil, err
		}
		a, err := c.text(answer)
		if err != nil {
			return nil, err
		}
		return withHistory(c, []chat.Message{{Role: "user", Content: q}, {Role: "assistant", Content: a}})
	}
}

// promptCompletion reads TRL's columns: two texts, or two lists of messages. Texts go through the chat template, as in
// ms-swift, so that the tuned model is asked the way it was taught.
func promptCompletion(c columns) ([]chat.Message, error) {
	prompt, _ := c.get("prompt")
	completion, _ := c.get("completion")
	if prompt[0] != '[' || completion[0] != '[' {
		return pair("prompt", "completion")(c)
	}
	list, err := turns("prompt", prompt)
	if err != nil {
		return nil, fmt.Errorf("prompt: %w", err)
	}
	more, err := turns("completion", completion)
	if err != nil {
		return nil, fmt.Errorf("completion: %w", err)
	}
	return withSystem(c, append(list, more...))
}

// withHistory puts the earlier turns, pairs of question and answer, and the system message in front.
func withHistory(c columns, list []chat.Message) ([]chat.Message, error) {
	raw, ok := c.get("history")
	if !ok {
		return withSystem(c, list)
	}
	if raw[0] != '[' {
		return nil, fmt.Errorf("history is %s; expected a list of pairs [question, answer]", kindName(raw))
	}
	var earlier []chat.Message
	err := elements(raw, func(i int, value []byte) error {
		wrong := fmt.Errorf("history: turn %d is no pair of texts [question, answer]", i+1)
		if value[0] != '[' {
			return wrong
		}
		sides := 0
		err := elements(value, func(k int, side []byte) error {
			if side[0] != '"' || k > 1 {
				return wrong
			}
			earlier = append(earlier, chat.Message{Role: []string{"user", "assistant"}[k], Content: stringOf(side)})
			sides++
			return nil
		})
		if err == nil && sides != 2 {
			err = wrong
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return withSystem(c, append(earlier, list...))
}

// preTokenised takes ids and labels as they are.
func preTokenised(c columns) (ids, labels []int32, err error) {
	raw, _ := c.get("input_ids")
	if ids, err = integers(raw); err != nil {
		return nil, nil, fmt.Errorf("input_ids: %w", err)
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("input_ids is empty")
	}
	if raw, ok := c.get("attention_mask"); ok {
		mask, err := integers(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("attention_mask: %w", err)
		}
		if len(mask) != len(ids) {
			return nil, nil, fmt.Errorf("input_ids has %d entries and attention_mask %d", len(ids), len(mask))
		}
		for i, m := range mask {
			if m != 1 {
				return nil, nil, fmt.Errorf("attention_mask is %d at position %d; take the padding out of the row, batches are padded here", m, i)
			}
		}
	}
	raw, ok := c.get("labels")
	if !ok {
		return ids, ids, nil
	}
	if labels, err = integers(raw); err != nil {
		return nil, nil, fmt.Errorf("labels: %w", err)
	}
	if len(labels) != len(ids) {
		return nil, nil, fmt.Errorf("input_ids has %d entries and labels %d; expected as many, with -100 where nothing is learnt", len(ids), len(labels))
	}
	return ids, labels, nil
}

// integers reads a JSON array of whole numbers, which is known to be valid JSON.
func integers(raw []byte) ([]int32, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s; expected a list of integers", kindName(raw))
	}
	body := bytes.Trim(raw[1:len(raw)-1], " \t\r\n")
	if len(body) == 0 {
		return nil, nil
	}
	out := make([]int32, 0, 1+bytes.Count(body, []byte{','}))
	for len(body) > 0 {
		item, rest, _ := bytes.Cut(body, []byte{','})
		body = rest
		item = bytes.Trim(item, " \t\r\n")
		v, ok := integer(item)
		if !ok {
			if len(item) > 40 {
				item = item[:40]
			}
			return nil, fmt.Errorf("position %d is %s; expected an integer of at most 32 bits", len(out), strings.ToValidUTF8(string(item), ""))
		}
		out = append(out, v)
	}
	return out, nil
}

func integer(item []byte) (int32, bool) {
	digits := bytes.TrimPrefix(item, []byte{'-'})
	if len(digits) == 0 || len(digits) > 10 {
		return 0, false
	}
	v := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + int64(c-'0')
	}
	if len(digits) < len(item) {
		v = -v
	}
	return int32(v), v >= math.MinInt32 && v <= math.MaxInt32
}
