package nn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/safetensors"
)

const good = `"model_type":"llama","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":160,"vocab_size":256`

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{`, "unexpected end"},
		{`{"model_type":"rwkv","architectures":["Rwkv"]}`, "llama"},
		{`{` + good + `,"hidden_size":0}`, "hidden_size"},
		{`{` + good + `,"hidden_size":-64}`, "hidden_size"},
		{`{` + good + `,"num_hidden_layers":99999999999}`, "num_hidden_layers"},
		{`{` + good + `,"num_attention_heads":5}`, "num_key_value_heads"},
		{`{` + good + `,"head_dim":7}`, "head_dim"},
		{`{` + good + `,"hidden_act":"gelu"}`, "hidden_act"},
		{`{` + good + `,"rms_norm_eps":0}`, "rms_norm_eps"},
		{`{` + good + `,"rope_theta":-1}`, "rope_theta"},
		{`{` + good + `,"rope_scaling":{"rope_type":"yarn","factor":4}}`, "yarn"},
		{`{` + good + `,"quantization_config":{"quant_method":"gptq"}}`, "gptq"},
		{`{` + good + `,"eos_token_id":"two"}`, "token id"},
		{`{` + good + `,"intermediate_size":0}`, "intermediate_size"},
	} {
		_, err := Parse([]byte(c.config))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not name %q", c.config, err, c.want)
		}
	}
}

func TestParseReads(t *testing.T) {
	m, err := Parse([]byte(`{` + good + `,"rope_parameters":{"rope_type":"default","rope_theta":500000},"eos_token_id":[2,3],"tie_word_embeddings":true,"attention_bias":true}`))
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config()
	if c.RopeTheta != 500000 || len(c.EOS) != 2 || c.HeadDim != 16 || m.Head() != "model.embed_tokens.weight" {
		t.Errorf("read %+v, head %s", c, m.Head())
	}
	biases := 0
	for _, p := range m.Params() {
		if strings.HasSuffix(p.Name, ".bias") {
			if biases++; p.Decays() {
				t.Errorf("weight decay applies to %s", p.Name)
			}
		}
	}
	if biases != 8 {
		t.Errorf("%d biases, want 4 in each of 2 layers", biases)
	}
}

// The parameters of a model are the tensors of its checkpoint: names, shapes, and their sum.
func TestParamsAreTheCheckpoint(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "golden", "tiny_llama")
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	w, err := safetensors.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	have := 0
	for _, p := range m.Params() {
		info, ok := w.Lookup(p.Name)
		if !ok || !info.Shape.Equal(p.Shape) {
			t.Errorf("%s: the model says %v, the checkpoint %v", p.Name, p.Shape, info.Shape)
		}
		have += p.Shape.Elements()
	}
	sum := 0
	for _, info := range w.Tensors() {
		sum += info.Shape.Elements()
	}
	if have != sum {
		t.Errorf("the model has %d parameters, the checkpoint %d", have, sum)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{` + good + `}`))
	f.Add([]byte(`{` + good + `,"rope_scaling":{"type":"linear"},"bos_token_id":null,"quantization_config":null}`))
	f.Add([]byte(`{"model_type":"llama","num_attention_heads":0}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(raw)
		if err != nil {
			return
		}
		c := m.Config()
		if c.Heads%c.KVHeads != 0 || c.HeadDim < 1 || c.Layers < 1 {
			t.Fatalf("accepted %+v", c)
		}
		if c.Layers < 100 && len(m.Params()) < 9*c.Layers {
			t.Fatalf("%d parameters for %d layers", len(m.Params()), c.Layers)
		}
	})
}
