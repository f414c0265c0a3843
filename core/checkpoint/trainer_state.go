package checkpoint

import (
	"encoding/json"
	"path/filepath"
)

// TrainerState is trainer_state.json in the form of transformers' TrainerState, which other tools read for curves and for the
// best checkpoint. Hone itself goes on from State.
type TrainerState struct {
	BestGlobalStep      *int              `json:"best_global_step"`
	BestMetric          *float64          `json:"best_metric"`
	BestModelCheckpoint *string           `json:"best_model_checkpoint"`
	Epoch               float64           `json:"epoch"` // with the fraction of the pass under way
	EvalSteps           int               `json:"eval_steps"`
	GlobalStep          int               `json:"global_step"`
	IsHyperParamSearch  bool              `json:"is_hyper_param_search"`
	IsLocalProcessZero  bool              `json:"is_local_process_zero"`
	IsWorldProcessZero  bool              `json:"is_world_process_zero"`
	LogHistory          []json.RawMessage `json:"log_history"` // lines of logging.jsonl, see History
	LoggingSteps        int               `json:"logging_steps"`
	MaxSteps            int               `json:"max_steps"` // of the whole run, also when epochs decide
	NumInputTokensSeen  int64             `json:"num_input_tokens_seen"`
	NumTrainEpochs      int               `json:"num_train_epochs"` // rounded up
	SaveSteps           int               `json:"save_steps"`
	StatefulCallbacks   struct{}          `json:"stateful_callbacks"`
	TotalFLOs           float64           `json:"total_flos"`
	TrainBatchSize      int               `json:"train_batch_size"`
	TrialName           *string           `json:"trial_name"`
	TrialParams         *struct{}         `json:"trial_params"`
}

// NewTrainerState takes over what s knows; runDir is where the best checkpoint lies.
func NewTrainerState(s *State, runDir string) TrainerState {
	t := TrainerState{GlobalStep: s.Step, NumInputTokensSeen: s.Tokens, IsLocalProcessZero: true, IsWorldProcessZero: true}
	if s.BestMetric != nil {
		best := checkpointPath(runDir, s.BestStep)
		t.BestMetric, t.BestGlobalStep, t.BestModelCheckpoint = s.BestMetric, &s.BestStep, &best
	}
	return t
}

// Write writes trainer_state.json into a directory.
func (t TrainerState) Write(dir string) error {
	if t.LogHistory == nil {
		t.LogHistory = []json.RawMessage{}
	}
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, TrainerStateFile), append(data, '\n'))
}
