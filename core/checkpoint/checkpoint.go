// Package checkpoint is where a run lives on disk: the model directory it starts from, PEFT adapters in and out, run directories,
// and the State that a run needs to go on.
//
// A run directory is <output_dir>/<model>/v<N>-<YYYYMMDD-HHMMSS>/ and holds args.json (the resolved recipe), manifest.json
// (hashes and versions), logging.jsonl (one object a line) and checkpoint-<step>/ directories. A checkpoint has an adapter or
// the model's weights, state.safetensors with the optimiser's moments, state.json and trainer_state.json. It is written under
// a temporary name, waits for the disk and is then renamed: a directory called checkpoint-<step> is always a whole one, at
// whatever moment the program was killed.
package checkpoint

// Names of the files in a run directory and in a checkpoint.
const (
	ArgsFile         = "args.json"
	ManifestFile     = "manifest.json"
	LogFile          = "logging.jsonl"
	StateFile        = "state.json"
	StateTensors     = "state.safetensors"
	TrainerStateFile = "trainer_state.json"
	ModelTensors     = "model.safetensors"
	AdapterTensors   = "adapter_model.safetensors"
	AdapterFile      = "adapter_config.json"
)
