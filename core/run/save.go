package run

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"hone/core/chat"
	"hone/core/checkpoint"
	"hone/core/device"
	"hone/core/safetensors"
	"hone/core/tensor"
)

// save writes the checkpoint of a step.
func (s *session) save(step int, passing bool) (string, error) {
	j, l := s.j, s.loop
	caps := s.dev.Caps()
	state := &checkpoint.State{Step: step, MicroBatches: l.micro, Updates: step, Tokens: s.tokens + l.tokens, Seconds: s.seconds + time.Since(l.began).Seconds(),
		Line: l.line, BestStep: l.best.Step, BadEvals: l.best.Worse, RecipeHash: s.recipeHash, ModelHash: s.model.Digest, DataHash: s.data.Digest,
		Device: caps.Kind, KernelVariant: caps.Variant, Passing: passing}
	state.LearningRate = s.rate
	if l.best.Step > 0 {
		state.BestMetric = &l.best.Loss
	}
	epoch := 0.0
	for _, sp := range j.spans {
		if step >= sp.first && (step < sp.first+sp.steps || sp == j.spans[len(j.spans)-1]) {
			done := min((step-sp.first)*j.Recipe.GradientAccumulationSteps, sp.batches)
			state.Epoch, state.Batch = sp.epoch, done
			epoch = float64(sp.epoch) + float64(done)/float64(sp.batches)
			if done == sp.batches {
				state.Epoch, state.Batch = sp.epoch+1, 0
			}
			break
		}
	}
	return checkpoint.Save(s.run.Dir, state, func(dir string) error {
		if err := s.writeTensors(dir); err != nil {
			return err
		}
		t := checkpoint.NewTrainerState(state, s.run.Dir)
		t.Epoch, t.EvalSteps, t.LoggingSteps, t.SaveSteps = epoch, j.Recipe.EvalSteps, j.Recipe.LoggingSteps, j.Recipe.SaveSteps
		t.LogHistory, t.MaxSteps, t.TrainBatchSize = s.history.Lines(), j.Plan.Steps, j.Recipe.PerDeviceTrainBatchSize
		t.NumTrainEpochs = int(math.Ceil(j.Recipe.NumTrainEpochs))
		t.TotalFLOs = j.Plan.FLOPs * float64(step) / float64(max(j.Plan.Steps, 1))
		return t.Write(dir)
	})
}

// prune removes old checkpoints beyond save_total_limit.
func (s *session) prune() error {
	best := -1
	if s.loop.best.Step > 0 {
		best = s.loop.best.Step
	}
	_, err := s.run.Prune(s.j.Recipe.SaveTotalLimit, best)
	return err
}

// writeTensors writes what was trained in the form that others load, and the moments.
func (s *session) writeTensors(dir string) error {
	j := s.j
	var trained, moments []safetensors.Tensor
	for _, p := range j.setup.Trained {
		trained = append(trained, s.tensor(p.Name, p.Shape))
		for _, name := range j.setup.Optim.Moments(p.Name) {
			moments = append(moments, s.tensor(name, p.Shape))
		}
	}
	if moments != nil {
		if err := safetensors.WriteFile(filepath.Join(dir, checkpoint.StateTensors), moments, nil); err != nil {
			return err
		}
	}
	if j.lora != nil {
		// Beside the adapter, as transformers puts it there: who asks the tuned model otherwise than it was taught gets worse answers.
		if source := chat.Source(j.template); source != "" && j.layout != "" {
			if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(source), 0o666); err != nil {
				return err
			}
		}
		return checkpoint.WriteAdapter(dir, j.adapterConfig(), trained)
	}
	return s.writeModel(dir)
}

// tensor is a state of the run as it is written, in the type that it has on the device: fetched when its turn comes.
func (s *session) tensor(name string, shape tensor.Shape) safetensors.Tensor {
	return safetensors.Tensor{Name: name, DType: s.states[name].Type().DType.String(), Shape: shape, Data: func(w io.Writer) error {
		return device.Download(context.Background(), s.dev, s.states[name], w)
	}}
}

// writeModel writes a whole model directory: weights, config.json and the tokenizer's files.
func (s *session) writeModel(dir string) error {
	j := s.j
	var all []safetensors.Tensor
	for _, p := range j.Base.Model.Params() {
		t := s.tensor(p.Name, p.Shape)
		if p.FanInFanOut {
			t = checkpoint.TransposedTensor(t)
		}
		all = append(all, t)
	}
	if err := safetensors.WriteFile(filepath.Join(dir, checkpoint.ModelTensors), all, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	config, err := checkpoint.WithDType(j.Base.Config, tensor.F32)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
		return err
	}
	return copyBeside(j.Recipe.Model, dir)
}
