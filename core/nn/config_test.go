package nn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/core/golden"
	"hone/core/safetensors"
	"hone/core/tensor"
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
		{`{` + good + `,"quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"fp4"}}`, "fp4"},
		{`{` + good + `,"quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true}}`, "fp4"},
		{`{` + good + `,"quantization_config":{"quant_method":"bitsandbytes","load_in_8bit":true}}`, "8 bits"},
		{`{` + good + `,"quantization_config":{"bits":4}}`, "quant_method"},
		{`{` + good + `,"eos_token_id":"two"}`, "token id"},
		{`{` + good + `,"intermediate_size":0}`, "intermediate_size"},
		{`{"model_type":"mamba"}`, "chatglm, gemma3_text, gpt2, llama, mistral, qwen2, qwen3"},
		{`{` + good + `,"rope_scaling":{"type":"linear"}}`, "factor"},
		{`{` + good + `,"rope_scaling":{"type":"linear","factor":"two"}}`, "factor"},
		{`{` + good + `,"rope_scaling":{"type":"linear","factor":-1}}`, "factor"},
		{`{` + good + `,"rope_scaling":{"type":"dynamic","factor":2}}`, "max_position_embeddings"},
		{`{` + good + `,"max_position_embeddings":9,"rope_scaling":{"type":"dynamic","factor":0.5}}`, "factor"},
		{`{` + good + `,"rope_parameters":{"rope_type":"llama3","factor":8,"high_freq_factor":4}}`, "low_freq_factor"},
		{`{` + good + `,"rope_parameters":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":99}}`, "high_freq_factor"},
		{`{` + good + `,"rope_parameters":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}}`, "original_max_position_embeddings"},
		{`{` + good + `,"rope_parameters":{"rope_type":"longrope"}}`, "default, linear, dynamic, llama3"},
		{`{` + good + `,"rope_parameters":{"rope_theta":0.5}}`, "rope_theta"},
		{`{` + good + `,"partial_rotary_factor":0.5}`, "partial_rotary_factor"},
		{`{` + good + `,"model_type":"mistral","sliding_window":0}`, "sliding_window"},
		{`{` + good + `,"model_type":"qwen2","use_sliding_window":true,"sliding_window":-3}`, "sliding_window"},
		{`{` + good + `,"model_type":"qwen2","layer_types":["full_attention"]}`, "layer_types"},
		{`{` + good + `,"model_type":"qwen3","layer_types":["full_attention","linear_attention"]}`, "linear_attention"},
		{`{` + good + `,"model_type":"qwen3","head_dim":9}`, "head_dim"},
		{`{` + smallChatGLM3 + `,"multi_query_attention":false}`, "multi_query_attention"},
		{`{` + smallChatGLM3 + `,"multi_query_group_num":0}`, "multi_query_group_num"},
		{`{` + smallChatGLM3 + `,"num_attention_heads":3,"multi_query_group_num":2}`, "multiple"},
		{`{` + smallChatGLM3 + `,"quantization_bit":4}`, "quantization_bit"},
		{`{` + smallChatGLM3 + `,"pre_seq_len":128}`, "pre_seq_len"},
		{`{` + smallChatGLM3 + `,"ffn_hidden_size":0}`, "ffn_hidden_size"},
		{`{` + smallChatGLM3 + `,"layernorm_epsilon":-1}`, "layernorm_epsilon"},
		{`{` + smallChatGLM3 + `,"rope_ratio":0}`, "rope_ratio"},
		{`{` + smallChatGLM3 + `,"kv_channels":1}`, "kv_channels"},
		{`{` + smallChatGLM3 + `,"num_attention_heads":12}`, "half"},
		{`{` + smallChatGLM3 + `,"num_layers":0}`, "num_hidden_layers"},
		{`{` + smallGemma3 + `,"final_logit_softcapping":30.0}`, "final_logit_softcapping"},
		{`{` + smallGemma3 + `,"attn_logit_softcapping":50.0}`, "attn_logit_softcapping"},
		{`{` + smallGemma3 + `,"hidden_activation":"silu"}`, "hidden_activation"},
		{`{` + smallGemma3 + `,"use_bidirectional_attention":true}`, "use_bidirectional_attention"},
		{`{` + smallGemma3 + `,"query_pre_attn_scalar":0}`, "query_pre_attn_scalar"},
		{`{` + smallGemma3 + `,"sliding_window":0}`, "sliding_window"},
		{`{` + smallGemma3 + `,"sliding_window_pattern":0}`, "sliding_window_pattern"},
		{`{` + smallGemma3 + `,"layer_types":["full_attention"]}`, "layer_types"},
		{`{` + smallGemma3 + `,"rope_local_base_freq":0}`, "rope_local_base_freq"},
		{`{` + smallGemma3 + `,"rope_parameters":{"full_attention":3}}`, "full_attention"},
		{`{` + smallGemma3 + `,"rope_parameters":{"full_attention":{"rope_type":"yarn"}}}`, "yarn"},
		{`{` + smallGemma3 + `,"head_dim":9}`, "head_dim"},
		{`{"model_type":"gpt2","n_embd":30,"n_head":4}`, "n_head"},
		{`{"model_type":"gpt2","n_head":0}`, "n_head"},
		{`{"model_type":"gpt2","n_positions":0}`, "n_positions"},
		{`{"model_type":"gpt2","n_inner":0}`, "n_inner"},
		{`{"model_type":"gpt2","layer_norm_epsilon":0}`, "layer_norm_epsilon"},
		{`{"model_type":"gpt2","activation_function":"relu"}`, "gelu_new"},
		{`{"model_type":"gpt2","add_cross_attention":true}`, "add_cross_attention"},
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
	for _, name := range []string{"tiny_llama", "tiny_qwen2", "tiny_qwen3", "tiny_gpt2"} {
		dir := golden.Own(t, name)
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
			shape := p.Shape
			if p.FanInFanOut {
				shape = tensor.Shape{shape[1], shape[0]}
			}
			info, ok := w.Lookup(p.Name)
			if !ok || !info.Shape.Equal(shape) {
				t.Errorf("%s, %s: the model says %v, the checkpoint %v", name, p.Name, shape, info.Shape)
			}
			have += p.Shape.Elements()
		}
		sum := 0
		for _, info := range w.Tensors() {
			sum += info.Shape.Elements()
		}
		if have != sum {
			t.Errorf("%s: the model has %d parameters, the checkpoint %d", name, have, sum)
		}
		if c := m.Config(); c.DType != "float32" {
			t.Errorf("%s: the weights are %q", name, c.DType)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{` + good + `}`))
	f.Add([]byte(`{` + good + `,"rope_scaling":{"type":"linear"},"bos_token_id":null,"quantization_config":null}`))
	f.Add([]byte(`{"model_type":"llama","num_attention_heads":0}`))
	for _, c := range forwardCases {
		f.Add([]byte(`{` + c.config + `}`))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Parse(raw)
		if err != nil {
			return
		}
		c := m.Config()
		if c.Heads%c.KVHeads != 0 || c.HeadDim < 1 || c.Layers < 1 {
			t.Fatalf("accepted %+v", c)
		}
		if c.Layers < 100 && len(m.Params()) < 6*c.Layers {
			t.Fatalf("%d parameters for %d layers", len(m.Params()), c.Layers)
		}
	})
}
