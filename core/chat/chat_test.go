package chat

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/core/tokenizer"
)

func testTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	texts := []string{"### System\n### User\nWhat is it? 这是什么？\n\n### Assistant\nIt is a story. 这是一个故事。", "### User\nTell a story.\n\n### Assistant\nA story."}
	trained, err := tokenizer.Train(slices.Values(texts), tokenizer.TrainOptions{VocabSize: 340})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

var talk = []Message{
	{Role: "system", Content: "Be short."},
	{Role: "user", Content: "What is </s> it?"},
	{Role: "assistant", Content: "A story. 一个故事。"},
	{Role: "user", Content: "这是什么？"},
	{Role: "assistant", Content: ""},
	{Role: "user", Content: "And?"},
	{Role: "assistant", Content: " yes\n"},
}

// Adapters record the name plain, so its text is a contract.
func TestPlainText(t *testing.T) {
	for name, c := range map[string]struct {
		messages   []Message
		generation bool
		want       []Segment
	}{
		"alpaca": {Alpaca("写一首诗", "春天", "春眠不觉晓"), false, []Segment{
			{Begin: true, Text: "### User\n写一首诗\n\n春天\n\n### Assistant\n"}, {Text: "春眠不觉晓", Supervised: true, Message: 1, End: true}}},
		"turns": {talk[:4], true, []Segment{
			{Begin: true, Text: "### System\nBe short.\n\n### User\nWhat is </s> it?\n\n### Assistant\n"},
			{Text: "A story. 一个故事。", Supervised: true, Message: 2, End: true},
			{Text: "\n\n### User\n这是什么？\n\n### Assistant\n"}}},
		"no generation": {talk[:2], false, []Segment{{Begin: true, Text: "### System\nBe short.\n\n### User\nWhat is </s> it?\n\n"}}},
	} {
		got, err := Plain.Segments(c.messages, c.generation)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
	if Plain.Name() != "plain" {
		t.Errorf("the name is %q", Plain.Name())
	}
}

func TestPromptBeginsTheTrainedIDs(t *testing.T) {
	tok := testTokenizer(t)
	ids, labels, err := Encode(tok, Plain, talk, EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != len(labels) || ids[0] != tok.BOS || labels[0] != Ignored {
		t.Fatalf("%d ids, %d labels, first %d labelled %d", len(ids), len(labels), ids[0], labels[0])
	}
	ends := 0
	for i, id := range ids {
		if labels[i] != Ignored && labels[i] != id {
			t.Errorf("position %d has id %d and label %d", i, id, labels[i])
		}
		if id == tok.EOS {
			ends++
			if labels[i] != id {
				t.Errorf("the end token at %d is not supervised", i)
			}
		}
	}
	if ends != 3 {
		t.Errorf("%d end tokens for 3 answers; one that a user writes must stay text", ends)
	}
	for i, m := range talk {
		if m.Role != "assistant" {
			continue
		}
		prompt, none, err := Encode(tok, Plain, talk[:i], EncodeOptions{Generation: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(prompt) >= len(ids) || !slices.Equal(prompt, ids[:len(prompt)]) {
			t.Errorf("the prompt of answer %d does not begin the trained ids", i)
		}
		if n := len(prompt); n == len(none) && none[n-1] != Ignored {
			t.Errorf("the prompt of answer %d ends supervised", i)
		}
		answer := append(tok.EncodeText(m.Content), tok.EOS)
		if got := labels[len(prompt) : len(prompt)+len(answer)]; !slices.Equal(got, answer) {
			t.Errorf("answer %d is labelled %v, want %v", i, got, answer)
		}
		if got := tok.Decode(answer, true); got != m.Content {
			t.Errorf("answer %d decodes to %q", i, got)
		}
	}
}

func TestPlainRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		messages   []Message
		generation bool
		want       string
	}{
		"empty":       {nil, false, "no messages"},
		"role":        {[]Message{{Role: "human", Content: "x"}}, false, `"human"`},
		"late system": {[]Message{{Role: "user", Content: "x"}, {Role: "system", Content: "y"}}, false, "message 2"},
		"answer":      {[]Message{{Role: "assistant", Content: "x"}}, false, "does not follow"},
		"asked":       {talk[:3], true, "expected user"},
	} {
		if _, err := Plain.Segments(c.messages, c.generation); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	tok := testTokenizer(t)
	tok.EOS = -1
	if _, _, err := Encode(tok, Plain, talk, EncodeOptions{}); err == nil || !strings.Contains(err.Error(), "eos_token") {
		t.Errorf("without end token: error %v", err)
	}
}
