package run

import (
	"fmt"
	"slices"

	"hone/core/checkpoint"
	"hone/core/nn"
	"hone/core/peft"
	"hone/core/recipe"
	"hone/core/tensor"
)

// adopt opens the adapter that the run starts from and takes over its settings.
func (j *Job) adopt() error {
	r := &j.Recipe
	cfg, tensors, err := checkpoint.ReadAdapter(r.Adapter)
	if err != nil {
		return err
	}
	j.adapter, j.origin = tensors, &cfg
	return r.AdoptAdapter(cfg.Rank, cfg.Alpha, cfg.RSLoRA, cfg.Dropout, targetsOf(j.Base.Model, cfg))
}

// targetsOf are the lora_target_modules by which this model's layers are those that an adapter adapts. As in PEFT, a name
// that fits no layer of the model does not matter.
func targetsOf(m nn.Model, cfg checkpoint.AdapterConfig) []string {
	if cfg.TargetPattern == recipe.AllLinear && !cfg.Restricted() {
		return peft.Targets(m, nil)
	}
	var modules []string
	for _, p := range m.Params() {
		if p.Module != "" && len(p.Shape) == 2 && cfg.Covers(p.Module) {
			modules = append(modules, p.Module)
		}
	}
	if cfg.TargetPattern != "" || cfg.Restricted() {
		return modules // by their whole names
	}
	return slices.DeleteFunc(slices.Clone(cfg.Targets), func(target string) bool {
		one := checkpoint.AdapterConfig{Targets: []string{target}}
		return !slices.ContainsFunc(modules, one.Covers)
	})
}

// loraFor attaches LoRA to a model; origin, if there is one, says where modules have a rank or an alpha of their own.
func loraFor(m nn.Model, rank int, alpha float64, targets []string, origin *checkpoint.AdapterConfig) (*peft.LoRA, error) {
	lora, err := peft.NewLoRA(m, rank, alpha, targets)
	if err == nil && origin != nil {
		lora.Vary(origin.RankOf, origin.AlphaOf)
	}
	return lora, err
}

// adapterConfig is adapter_config.json of the run's checkpoints. That of the adapter it goes on with is kept, with the
// members that Hone does not use.
func (j *Job) adapterConfig() checkpoint.AdapterConfig {
	r := j.Recipe
	c := checkpoint.NewAdapterConfig(j.baseName, r.LoRARank, r.LoRAAlpha, r.LoRADropout, r.UseRSLoRA, r.LoRATargetModules)
	if j.origin != nil {
		c = *j.origin
		c.BaseModel = j.baseName
	}
	c.FanInFanOut, c.Template = j.lora.FanInFanOut(), j.layout
	return c
}

// MatchAdapter checks that the tensors of an adapter are those of the tuner.
func MatchAdapter(dir string, lora *peft.LoRA, tensors map[string]tensor.Host) error {
	wanted := map[string]bool{}
	for _, p := range lora.Params() {
		wanted[p.Name] = true
		h, ok := tensors[p.Name]
		if !ok {
			return fmt.Errorf("adapter %s has no tensor %s; was it made for another model?", dir, p.Name)
		}
		if !h.Type.Shape.Equal(p.Shape) {
			return fmt.Errorf("adapter %s: tensor %s has shape %v, this model wants %v; was it made for another model?", dir, p.Name, h.Type.Shape, p.Shape)
		}
	}
	for name := range tensors {
		if !wanted[name] {
			return fmt.Errorf("adapter %s has the tensor %s, for which this model has no place; was it made for another model?", dir, name)
		}
	}
	return nil
}
