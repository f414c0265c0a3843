// Package recipe holds the Recipe: everything that decides what a training run does. The command line fills it from flags, a page
// from a form, a server from a message, and a run directory records it as args.json. A setting is one field of the struct; its
// tags carry the flag's name, default, allowed values, unit and help text, and flags, JSON, help and checks all read them there.
//
// Names follow the Hugging Face TrainingArguments and ms-swift 3, and so do the defaults where those have one.
package recipe

import (
	"math"
	"sync"
)

// AllLinear as the only target module stands for every linear layer but the language model's head.
const AllLinear = "all-linear"

// Recipe is one run. Make one with Default, Parse or FromJSON; a zero Recipe has no defaults.
//
// The tags are
//
//	flag     the setting's name in flags and JSON
//	default  how the default is written as a flag's value; absent means empty
//	shown    what help gives as the default when the value itself would not say it
//	range    the interval that a number must lie in: [ and ] include the end, ( and ) do not
//	none     a value outside the range that means "not set"
//	choices  the words allowed
//	unit     what a number counts
//	resume   whether a resumed run may have another value: free, or paging, where only paged_ before it may come or go
//	value    what help shows in the place of the value
//	resume   "free" where a resumed run may have another value
//	hash     "no" for places of files, whose content is hashed instead
//	group    the heading in help; it holds until the next one
//	help     what the setting does
type Recipe struct {
	Model             string   `flag:"model" group:"Model and data" value:"DIR|ORG/NAME" hash:"no" help:"the model to tune: a directory in Hugging Face's layout, or the id of one on a hub, at a revision with @"`
	ModelType         string   `flag:"model_type" value:"NAME" hash:"no" help:"a model by its short name, such as chatglm3-6b or qwen2.5-0.5b-instruct; with model, only the name under which runs are filed"`
	ModelRevision     string   `flag:"model_revision" value:"REV" hash:"no" help:"branch, tag or commit of a model on a hub"`
	Hub               string   `flag:"hub" default:"auto" choices:"auto,hf,ms" hash:"no" resume:"free" help:"where names are looked for: hf is Hugging Face, ms is ModelScope; auto: the one whose endpoint the environment names (HF_ENDPOINT, MODELSCOPE_ENDPOINT), otherwise Hugging Face, then ModelScope"`
	Dataset           []string `flag:"dataset" value:"FILE[#N],…" hash:"no" help:"the rows to train on, one file or several (JSON, JSONL or .txt) or data sets on a hub; FILE#N takes N rows of it, drawn by the seed"`
	ValDataset        []string `flag:"val_dataset" value:"FILE[#N],…" hash:"no" help:"rows that are held out for evaluation, from files of their own"`
	MaxLength         int      `flag:"max_length" default:"0" shown:"the model's own limit" range:"[1,2147483647]" none:"0" unit:"tokens" help:"longest row that is trained on; 0 stands for the model's own limit"`
	Packing           bool     `flag:"packing" default:"false" help:"put several rows into one sequence of max_length; rows do not see each other"`
	DatasetShuffle    bool     `flag:"dataset_shuffle" default:"true" help:"draw a new order of the rows in every epoch; false means file order everywhere"`
	SplitDatasetRatio float64  `flag:"split_dataset_ratio" default:"0" range:"[0,1)" help:"share of the rows that is held out for evaluation"`
	Seed              int64    `flag:"seed" default:"42" range:"[0,9007199254740991]" help:"the one source of all random numbers"`

	// How rows are read. Package data says what each word means.
	Columns            string   `flag:"columns" value:"JSON" help:"new names of columns, {\"yours\":\"query\"}; an empty name leaves a column out"`
	Template           string   `flag:"template" default:"auto" choices:"auto,plain" help:"how conversations are laid out; auto: the model's own chat template, or the plain one where it has none"`
	TruncationStrategy string   `flag:"truncation_strategy" default:"delete" choices:"delete,left,right,split" help:"what becomes of rows longer than max_length: left out; their beginning cut off; their end cut off; cut into several"`
	TrainOnPrompt      bool     `flag:"train_on_prompt" default:"false" help:"learn all of a conversation, not only the answers"`
	MaskHistory        bool     `flag:"mask_history" default:"false" help:"learn only the last answer of a conversation"`
	TrainDatasetSample int      `flag:"train_dataset_sample" default:"-1" shown:"-1: all" range:"[1,2147483647]" none:"-1" unit:"rows" help:"train on so many rows at most, drawn by the seed"`
	ValDatasetSample   int      `flag:"val_dataset_sample" default:"-1" shown:"-1: all of val_dataset" range:"[1,2147483647]" none:"-1" unit:"rows" help:"hold out so many rows, drawn by the seed: of val_dataset, or without it of the rows, which then never train"`
	InterleaveProb     []string `flag:"interleave_prob" value:"X,…" help:"mix the data sets: the next row comes from each with this probability. Without it, one follows the other"`
	StoppingStrategy   string   `flag:"stopping_strategy" default:"first_exhausted" choices:"first_exhausted,all_exhausted" help:"with interleave_prob: end with the first data set that ends, or repeat the shorter ones until all have"`

	TrainType         string   `flag:"train_type" group:"What trains" default:"lora" choices:"lora,qlora,full" help:"lora: adapters beside the frozen weights; qlora: the same on weights in 4 bits (NF4); full: the weights themselves"`
	Adapter           string   `flag:"adapter" value:"DIR" hash:"no" help:"go on from this PEFT adapter; it brings its own rank, alpha, rsLoRA, dropout and targets"`
	LoRARank          int      `flag:"lora_rank" default:"8" range:"[1,65536]" help:"rank r of the adapter matrices A [r, in] and B [out, r]"`
	LoRAAlpha         float64  `flag:"lora_alpha" default:"32" range:"(0,1e9]" help:"the adapter's output is multiplied by lora_alpha / lora_rank"`
	LoRADropout       float64  `flag:"lora_dropout" default:"0.05" range:"[0,1)" help:"probability of dropping an input of the adapter while training"`
	LoRATargetModules []string `flag:"lora_target_modules" default:"all-linear" value:"all-linear|NAME,…" help:"linear layers that get an adapter, by the last part of their name; all-linear (or ALL): every one but the head"`
	UseRSLoRA         bool     `flag:"use_rslora" default:"false" help:"multiply by lora_alpha / sqrt(lora_rank) instead (rank-stabilised LoRA)"`
	FreezeParameters  []string `flag:"freeze_parameters" value:"PREFIX,…" help:"with train_type full: tensors whose names begin so stay as they are"`

	PerDeviceTrainBatchSize   int     `flag:"per_device_train_batch_size" group:"Steps" default:"1" range:"[1,1048576]" unit:"rows" help:"rows that go through the model together"`
	GradientAccumulationSteps int     `flag:"gradient_accumulation_steps" default:"0" shown:"as many as make 16 rows" range:"[1,1048576]" unit:"batches" help:"batches that make one optimiser step"`
	NumTrainEpochs            float64 `flag:"num_train_epochs" default:"3" range:"(0,1e6]" resume:"free" unit:"epochs" help:"passes over the rows; a fraction is allowed"`
	MaxSteps                  int     `flag:"max_steps" default:"-1" shown:"-1: num_train_epochs decides" range:"[1,2147483647]" none:"-1" resume:"free" unit:"steps" help:"optimiser steps in all; it overrides num_train_epochs"`
	NEFTuneNoiseAlpha         float64 `flag:"neftune_noise_alpha" default:"0" range:"[0,1e6]" help:"add noise to the embeddings while training (NEFTune), uniform within alpha / sqrt(length · hidden_size); 5 to 15 are usual, 0 is none"`
	GradientCheckpointing     bool    `flag:"gradient_checkpointing" default:"true" help:"compute activations a second time in the backward pass instead of keeping them: less memory, more time"`

	Optim           string  `flag:"optim" group:"Optimiser" default:"adamw" resume:"paging" choices:"adamw,paged_adamw,sgd" help:"adamw as torch.optim.AdamW; paged_adamw, the same to the bit, keeps its moments in the host's memory where device_memory has no room for them; sgd without momentum"`
	LearningRate    float64 `flag:"learning_rate" default:"-1" shown:"1e-4, with train_type full 1e-5" range:"[0,1e38]" help:"the highest learning rate of the schedule"`
	LRSchedulerType string  `flag:"lr_scheduler_type" default:"cosine" choices:"constant,constant_with_warmup,linear,cosine" help:"how the learning rate goes on after the warmup; constant has no warmup"`
	WarmupSteps     int     `flag:"warmup_steps" default:"-1" shown:"-1: warmup_ratio decides" range:"[0,2147483647]" none:"-1" unit:"steps" help:"steps in which the learning rate rises from 0; given, 0 included, it overrides warmup_ratio"`
	WarmupRatio     float64 `flag:"warmup_ratio" default:"0" range:"[0,1]" help:"share of all steps in which the learning rate rises from 0"`
	WeightDecay     float64 `flag:"weight_decay" default:"0.1" range:"[0,1e3]" help:"decoupled weight decay of everything but biases and normalisation weights"`
	AdamBeta1       float64 `flag:"adam_beta1" default:"0.9" range:"[0,1)" help:"decay of the mean of the gradients"`
	AdamBeta2       float64 `flag:"adam_beta2" default:"0.95" range:"[0,1)" help:"decay of the mean of their squares"`
	AdamEpsilon     float64 `flag:"adam_epsilon" default:"1e-8" range:"[0,1]" help:"added to the root of that mean before the division"`
	MaxGradNorm     float64 `flag:"max_grad_norm" default:"1" range:"[0,1e30]" help:"gradients are scaled down to this norm; 0 turns clipping off"`

	EvalSteps            int    `flag:"eval_steps" group:"Evaluating and saving" default:"0" shown:"as save_steps" range:"[1,2147483647]" resume:"free" unit:"steps" help:"evaluate the held-out rows so often"`
	SaveSteps            int    `flag:"save_steps" default:"500" range:"[1,2147483647]" resume:"free" unit:"steps" help:"write a checkpoint so often; one is always written at the end"`
	SaveTotalLimit       int    `flag:"save_total_limit" default:"0" shown:"0: keep all" range:"[1,2147483647]" none:"0" resume:"free" unit:"checkpoints" help:"keep only so many; the best and the newest are never removed"`
	LoadBestModelAtEnd   bool   `flag:"load_best_model_at_end" default:"false" help:"end with the weights that had the lowest held-out loss"`
	EarlyStopInterval    int    `flag:"early_stop_interval" default:"0" shown:"0: never" range:"[1,2147483647]" none:"0" unit:"evaluations" help:"stop after so many evaluations without a lower held-out loss"`
	ResumeFromCheckpoint string `flag:"resume_from_checkpoint" value:"DIR" resume:"free" help:"go on from this checkpoint, or from the last one of this run directory"`
	OutputDir            string `flag:"output_dir" default:"output" value:"DIR" resume:"free" help:"the run goes to a new directory <output_dir>/<model>/v<N>-<date>-<time>"`

	Device        string `flag:"device" group:"Running" default:"auto" choices:"auto,cpu,webgpu" resume:"free" help:"where to compute; auto takes WebGPU when a real GPU offers it"`
	DeviceMemory  Bytes  `flag:"device_memory" default:"0" shown:"what the device says" range:"[1,9007199254740991]" none:"0" resume:"free" unit:"bytes" help:"memory that the run may use, such as 8GB (10^9) or 8GiB (2^30)"`
	KernelVariant string `flag:"kernel_variant" default:"auto" choices:"auto,registers,tiled" resume:"free" help:"which WebGPU kernels to take; auto measures at start, and a resumed run keeps those it had"`
	Fallback      string `flag:"fallback" default:"none" choices:"none,cpu" resume:"free" help:"where the run goes on by itself, from its last checkpoint, when the device is lost"`
	LoggingSteps  int    `flag:"logging_steps" default:"5" range:"[1,2147483647]" resume:"free" unit:"steps" help:"write a log line so often, and for the first step"`
	LogFormat     string `flag:"log_format" default:"auto" choices:"auto,plain,json" resume:"free" help:"auto shows a progress bar on a terminal and plain lines elsewhere"`

	notes []string
	given map[string]bool // names that somebody set, as against defaults; never changed in place, since copies share it
}

// Default is the recipe in which nothing has been set.
func Default() Recipe { return defaults() }

var defaults = sync.OnceValue(func() Recipe {
	var r Recipe
	for i := range fields {
		f := &fields[i]
		if f.Default == "" {
			continue
		}
		if err := f.parse(&r, f.Default); err != nil {
			panic("recipe: the default of " + f.Name + " in its tag: " + err.Error())
		}
	}
	return r
})

// Given reports whether the setting was set by a flag, by JSON or by Set, as against left at its default.
func (r Recipe) Given(name string) bool { return r.given[name] }

// Resolve fills in the settings whose default hangs on others: learning_rate, gradient_accumulation_steps and eval_steps.
// Parse and FromJSON have done it; code that fills the fields itself calls it before Validate.
func (r *Recipe) Resolve() {
	if r.LearningRate < 0 && !r.given["learning_rate"] {
		r.LearningRate = 1e-4
		if r.TrainType == "full" {
			r.LearningRate = 1e-5
		}
	}
	if b := r.PerDeviceTrainBatchSize; r.GradientAccumulationSteps == 0 && !r.given["gradient_accumulation_steps"] {
		// As ms-swift 3: enough batches for 16 rows a step.
		r.GradientAccumulationSteps = 1
		if b > 0 && b < 16 {
			r.GradientAccumulationSteps = (16 + b - 1) / b
		}
	}
	if r.EvalSteps == 0 && !r.given["eval_steps"] {
		r.EvalSteps = r.SaveSteps
	}
}

// Warmup is the number of steps in which the learning rate rises, for a run of total steps: warmup_steps where it is set, 0
// included, otherwise warmup_ratio of the total, rounded up as in transformers' TrainingArguments.get_warmup_steps.
func (r Recipe) Warmup(total int) int {
	if r.WarmupSteps >= 0 {
		return r.WarmupSteps
	}
	return int(math.Ceil(float64(total) * r.WarmupRatio))
}
