package tokenizer

import (
	"os"
	"path/filepath"
	"testing"

	"hone/core/golden"
)

// English text, as a data set has it.
func BenchmarkEncode(b *testing.B) {
	raw, err := os.ReadFile(golden.Shared(b, "data/datasets/tinyshakespeare.txt"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"gpt2", "smollm", "qwen2", "llama2"} {
		b.Run(name, func(b *testing.B) {
			tok, err := LoadDir(filepath.Join(golden.Shared(b, "data/tokenizers"), name))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(raw)))
			text := string(raw)
			for b.Loop() {
				tok.EncodeText(text)
			}
		})
	}
}
