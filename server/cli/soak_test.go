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
