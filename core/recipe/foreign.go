package recipe

import (
	"fmt"
	"slices"
	"strings"
)

// foreign is a flag of ms-swift, transformers or LLaMA-Factory that has no meaning here. It is accepted, so that command lines
// written for them run as they are, and what it comes to is said once. Where some values would ask for something that a run does
// not do, only those in fine are accepted.
type foreign struct {
	names string // with spaces between
	why   string
	fine  []string // lower case; nil: all
}

var (
	yes, no = []string{"true", "yes", "on", "1", ""}, []string{"false", "no", "off", "0", "none"}
	either  = append(slices.Clone(yes), no...)
)

var foreignFlags = []foreign{
	{"use_flash_attn flash_attn attn_impl attn_implementation use_flash_attention_2", "attention is always streamed here: no matrix of length × length is stored, which is what flash attention is for", nil},
	{"bf16 fp16 tf32 half_precision_backend fp16_opt_level bf16_full_eval fp16_full_eval pure_bf16", "numbers are float32 here while they are computed with; weights keep the precision in which they are stored", nil},
	{"dtype torch_dtype lora_dtype bnb_4bit_comp_dtype bnb_4bit_compute_dtype compute_dtype upcast_layernorm upcast_lmhead_output", "numbers are float32 here while they are computed with; weights keep the precision in which they are stored", nil},
	{"quantization_bit quant_bits load_in_4bit", "train_type decides: qlora puts the frozen weights into 4 bits", []string{"0", "4", "true", "false", "none", ""}},
	{"load_in_8bit", "train_type qlora has 4 bits; there are no 8-bit weights here", no},
	{"quant_method quantization_method bnb_4bit_quant_type bnb_4bit_quant_storage", "with train_type qlora the weights are in NF4, as bitsandbytes has it", []string{"bnb", "bitsandbytes", "nf4", "auto", "none", "uint8"}},
	{"bnb_4bit_use_double_quant double_quantization", "NF4 always has its scales quantised too", yes},
	{"deepspeed fsdp fsdp_config accelerator_config device_map device_max_memory max_memory model_parallel sequence_parallel_size tensor_parallel_size", "a run is one process on one device here; `hone plan` shows whether it fits", nil},
	{"ddp_backend ddp_timeout ddp_find_unused_parameters ddp_broadcast_buffers ddp_bucket_cap_mb ddp_static_graph local_rank local_world_size nproc_per_node nnodes world_size", "a run is one process here, so there is nothing to distribute", nil},
	{"dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor preprocess_num_proc dataset_num_proc preprocessing_num_workers num_proc map_num_proc", "rows are read once, on all processors, before the first step", nil},
	{"lazy_tokenize streaming", "rows are read and tokenised before the first step", nil},
	{"load_from_cache_file overwrite_cache dataset_cache_dir", "tokenised rows are not kept between runs, so there is no stale cache to avoid", nil},
	{"report_to logging_dir logging_nan_inf_filter include_num_input_tokens_seen run_name swanlab_token wandb_project plot_loss log_level disable_tqdm logging_strategy", "the log is logging.jsonl in the run's directory", nil},
	{"logging_first_step", "the first step is always logged", nil},
	{"gradient_checkpointing_kwargs use_reentrant vit_gradient_checkpointing", "gradient_checkpointing has no variants here", nil},
	{"use_fast_tokenizer use_slow_tokenizer trust_remote_code", "no code of a model's repository is ever run; its architecture and tokenizer are built in", nil},
	{"push_to_hub hub_model_id hub_strategy hub_private_repo push_to_hub_model_id hub_token hub_always_push", "nothing is uploaded; the run's directory holds the result", nil},
	{"save_safetensors save_on_each_node save_only_model", "checkpoints are safetensors, and always whole, so that every one of them can be gone on from", nil},
	{"overwrite_output_dir add_output_dir_suffix add_version", "every run gets a directory of its own below output_dir", nil},
	{"save_strategy eval_strategy evaluation_strategy", "save_steps and eval_steps decide", []string{"steps"}},
	{"per_device_eval_batch_size eval_batch_size eval_accumulation_steps", "held-out rows go through the model in batches of per_device_train_batch_size, which changes no result", nil},
	{"do_train do_eval eval_on_start", "training is what this command does, and held-out rows are evaluated where there are any", either},
	{"remove_unused_columns ignore_data_skip label_names include_for_metrics", "only the columns that a row's format has are read", nil},
	{"group_by_length length_column_name", "rows of like length share a batch anyway: there are at most four lengths", nil},
	{"dataloader_drop_last", "every row counts; the last batch of an epoch may be smaller", no},
	{"predict_with_generate", "held-out rows are measured by their loss; `hone compare` shows answers", no},
	{"max_new_tokens top_k top_p temperature repetition_penalty num_beams do_sample", "it is for answering, not for training; `hone compare` has it", nil},
	{"check_dataset_strategy check_model_is_latest check_model ignore_args_error", "rows, settings and the model are always checked", nil},
	{"use_cpu no_cuda use_mps_device", "--device says where to compute", nil},
	{"gpu_memory_fraction empty_cache torch_empty_cache_steps auto_find_batch_size", "memory is planned before the run; `hone plan` shows it", nil},
	{"full_determinism use_deterministic_algorithms data_seed", "a run with one seed always gives the same numbers", nil},
	{"stage task_type", "this command fine-tunes a causal language model on answers", []string{"sft", "causal_lm"}},
	{"lora_bias bias lora_bias_trainable", "the adapter has no biases", []string{"none"}},
	{"use_dora use_galore galore use_badam use_unsloth use_liger use_liger_kernel use_llama_pro use_pissa", "there is no such method here", no},
	{"init_lora_weights init_weights", "A is drawn Kaiming-uniform and B is zero, as PEFT has it by default", yes},
	{"lora_lr_ratio loraplus_lr_ratio lorap_lr_ratio", "A and B learn at one rate", []string{"none", "1", "1.0"}},
	{"modules_to_save lora_modules_to_save additional_target", "only the adapters train", []string{"", "none", "[]"}},
	{"torch_compile torch_compile_backend torch_compile_mode jit_mode_eval use_ipex", "every step is compiled before the first one anyway", nil},
	{"optim_args optim_target_modules", "optim has no further settings but adam_beta1, adam_beta2 and adam_epsilon", nil},
	{"model_author model_name ddp_master_port gpu_ids cuda_visible_devices", "it has no meaning in this program", nil},
}

// foreignFlag finds a flag of that name.
func foreignFlag(name string) (foreign, bool) {
	for _, f := range foreignFlags {
		if slices.Contains(strings.Fields(f.names), name) {
			return f, true
		}
	}
	return foreign{}, false
}

// take accepts a value of a foreign flag and gives back what is to be said.
func (f foreign) take(name, value string) (string, error) {
	if f.fine != nil && !slices.Contains(f.fine, strings.ToLower(value)) {
		return "", fmt.Errorf("--%s %s cannot be had: %s; leave the flag out", name, value, f.why)
	}
	typed := "--" + name
	if value != "" {
		typed += " " + value
	}
	return fmt.Sprintf("%s does nothing: %s", typed, f.why), nil
}

// Notes are sentences about flags of other tools that were accepted without having a meaning here, each said once.
func (r Recipe) Notes() []string { return slices.Clone(r.notes) }
