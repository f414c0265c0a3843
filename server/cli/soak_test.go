//go:build soak && linux

package cli

import (
	"strings"
	"testing"
)

// TestSoakKills kills every case of TestKilledRunsGoOn at many moments.
func TestSoakKills(t *testing.T) {
	for seed := range uint64(6) {
		killAndResume(t, 8, 100+seed)
	}
}

// TestSoakMemory measures runs of more than 500 MB.
func TestSoakMemory(t *testing.T) {
	const llama = `{"model_type":"llama","hidden_size":1024,"num_hidden_layers":12,"num_attention_heads":16,"num_key_value_heads":4,"intermediate_size":2816,
		"vocab_size":16384,"tie_word_embeddings":false,"rms_norm_eps":1e-5,"max_position_embeddings":4096}`
	// What is not quantised must do for the 500 MB.
	wide := strings.Replace(llama, "16384", "49152", 1)
	for _, c := range []memoryCase{
		{llama, 2, 128, []string{"--train_type", "lora", "--max_steps", "2"}, 500e6},
		{wide, 2, 128, []string{"--train_type", "qlora", "--max_steps", "2"}, 500e6},
		{llama, 2, 128, []string{"--train_type", "full", "--max_steps", "2"}, 500e6},
		{smallLlama, 4, 512, []string{"--train_type", "full", "--max_steps", "2", "--gradient_checkpointing", "false", "--split_dataset_ratio", "0.2", "--eval_steps", "1"}, 500e6},
	} {
		t.Run(c.args[1], func(t *testing.T) { planned(t, c) })
	}
}

// TestSoakQwen trains a random model of the true shape of Qwen2.5-0.5B, 24 layers and a tied vocabulary of 151,936, loaded
// from shards in bfloat16: 2 steps of LoRA and 2 of QLoRA on 128 tokens, in no more memory than hone plan says.
func TestSoakQwen(t *testing.T) {
	const qwen = `{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":896,"num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,
		"intermediate_size":4864,"vocab_size":151936,"tie_word_embeddings":true,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"max_position_embeddings":32768,
		"bos_token_id":151643,"eos_token_id":151643,"torch_dtype":"bfloat16","use_sliding_window":false}`
	for method, least := range map[string]int64{"lora": 980e6, "qlora": 450e6} {
		t.Run(method, func(t *testing.T) {
			ratio := planned(t, memoryCase{qwen, 1, 128, []string{"--train_type", method, "--max_steps", "2", "--gradient_accumulation_steps", "1"}, least}, "--dtype", "bfloat16", "--max_shard_size", "300MB")
			if ratio > 1 {
				t.Errorf("the run took %.4f of what was planned", ratio)
			}
		})
	}
}
