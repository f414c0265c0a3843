package chat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"hone/core/tokenizer"
)

// marks are the special tokens of the test tokenizers, from id 300 on.
var marks = []string{"<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|observation|>", "[gMASK]", "sop",
	"<start_of_turn>", "<end_of_turn>", "<|header|>", "<|/header|>", "<|eot|>", "[INST]", "[/INST]"}

// byteLevel is a small byte-level tokenizer with marks. Its merges join line breaks, so that a token could cross the border of an answer.
func byteLevel(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	vocab, merges := map[string]int{}, []string{}
	var letters [256]string
	n := rune(256)
	for b := range 256 {
		c := rune(b)
		if b < '!' || b > '~' && b < 0xa1 || b == 0xad {
			c, n = n, n+1
		}
		letters[b] = string(c)
		vocab[letters[b]] = b
	}
	for _, m := range [][2]string{{"\n", "\n"}, {" ", "a"}, {"h", "e"}, {"l", "o"}, {"\n\n", "\n"}, {":", " "}} {
		enc := func(s string) (out string) {
			for i := range len(s) {
				out += letters[s[i]]
			}
			return out
		}
		merges = append(merges, enc(m[0])+" "+enc(m[1]))
		vocab[enc(m[0]+m[1])] = len(vocab)
	}
	added := []map[string]any{}
	for i, m := range marks {
		added = append(added, map[string]any{"id": 300 + i, "content": m, "special": true})
	}
	added = append(added, map[string]any{"id": 400, "content": "<think>"}, map[string]any{"id": 401, "content": "</think>"})
	return load(t, map[string]any{"added_tokens": added, "model": map[string]any{"type": "BPE", "vocab": vocab, "merges": merges},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
		"decoder":       map[string]any{"type": "ByteLevel"}})
}

// prefixed is a small tokenizer that puts a space in front of each text, as Llama 2's does.
func prefixed(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	vocab := map[string]int{"<unk>": 0, "▁": 1, "▁a": 2, "an": 3}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = 4 + b
	}
	for c := 'a'; c <= 'z'; c++ {
		vocab[string(c)] = 260 + int(c-'a')
	}
	added := []map[string]any{}
	for i, m := range marks {
		added = append(added, map[string]any{"id": 300 + i, "content": m, "special": true})
	}
	return load(t, map[string]any{"added_tokens": added,
		"model":      map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{"▁ a", "a n"}, "byte_fallback": true, "unk_token": "<unk>", "fuse_unk": true},
		"normalizer": map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "Prepend", "prepend": "▁"}, map[string]any{"type": "Replace", "pattern": map[string]any{"String": " "}, "content": "▁"}}},
		"decoder": map[string]any{"type": "Sequence", "decoders": []any{map[string]any{"type": "Replace", "pattern": map[string]any{"String": "▁"}, "content": " "},
			map[string]any{"type": "ByteFallback"}, map[string]any{"type": "Fuse"}}}})
}

func load(t testing.TB, file map[string]any) *tokenizer.Tokenizer {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"tokenizer.json": raw, "tokenizer_config.json": []byte(`{"bos_token": "<s>", "eos_token": "</s>"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := tokenizer.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// shapes are templates of ours in the manner of published ones.
var shapes = map[string]string{
	"chatml": `{% for m in messages %}{{ '<|im_start|>' + m['role'] + '
' + m['content'] + '<|im_end|>' + '
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`,

	// A default system prompt; thinking is shown for the last answer only.
	"thinking": `
{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}
{%- set ns = namespace(last=-1) %}
{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{%- for m in messages %}
    {%- set content = m.content %}
    {%- if m.role == 'assistant' %}
        {%- set thought = m.reasoning_content if m.reasoning_content is string else '' %}
        {%- if not thought and '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\n' }}
        {%- if loop.index0 > ns.last %}{{ '<think>\n' + thought.strip('\n') + '\n</think>\n\n' }}{% endif %}
        {{- content }}
    {%- else %}
        {{- '<|im_start|>' + m.role + '\n' + content }}
    {%- endif %}
    {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,

	"inst": `{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set first = '<<SYS>>\n' + messages[0]['content'].strip() + '\n<</SYS>>\n\n' %}{% else %}{% set rest = messages %}{% set first = '' %}{% endif %}
{% for m in rest %}
{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{% set content = (first if loop.first else '') + m['content'] %}
{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}
{% endfor %}`,

	"header": `{{- bos_token }}
{%- set date = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' %}
{%- if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim %}{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}
{{- '<|header|>system<|/header|>\n\nToday Date: ' + date + '\n\n' + system + '<|eot|>' }}
{%- for m in messages %}
    {{- '<|header|>' + m['role'] + '<|/header|>\n\n' + m['content'] | trim + '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|header|>assistant<|/header|>\n\n' }}{% endif %}`,

	// The system message moves to the last question.
	"moving system": `{{ bos_token }}{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}
{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{% for m in messages %}
{% if m.role == 'user' %}{{ '[INST]' + (system if loop.index0 == ns.last else '') + m.content + '[/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}
{% endfor %}`,

	"turns": `{{ bos_token }}
{%- if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for m in messages %}
{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`,

	"roles as marks": `{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}`,

	"generation": `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,

	"generation with header": `{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ '<|im_start|>assistant\n' + m.content.lstrip('\n') + '<|im_end|>\n' }}{% endgeneration %}{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,

	// No end token behind the last answer.
	"open end": `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}{% if (loop.last and add_generation_prompt) or not loop.last %}{{ eos_token + '\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,

	// What stands behind the last answer only, and must not be learnt.
	"closed": `{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% elif messages[-1].role == 'assistant' %}{{ '<|eot|>' }}{% endif %}`,

	// It always asks for a further answer.
	"asking": `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '</s>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}`,

	// Marks of letters only.
	"letters": `{% for m in messages %}{{ '### ' + m.role|title + ':\n' + m.content + '\n\n' }}{% endfor %}{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}`,
}

func shape(t testing.TB, name string) *Jinja {
	t.Helper()
	template, err := NewJinja(name, shapes[name], map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// seen writes ids as text with the learnt parts in ‹›; special tokens stand as they are written.
func seen(tok *tokenizer.Tokenizer, ids, labels []int32) string {
	var b strings.Builder
	for from := 0; from < len(ids); {
		to := from
		for to < len(ids) && (labels[to] == Ignored) == (labels[from] == Ignored) {
			to++
		}
		s := tok.Decode(ids[from:to], false)
		if labels[from] != Ignored {
			s = "‹" + s + "›"
		}
		b.WriteString(s)
		from = to
	}
	return b.String()
}

// simple keeps what tests print on one line.
func simple(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return '⏎'
		}
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, s)
}
