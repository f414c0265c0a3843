package run

import (
	"fmt"
	"strings"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/wire"
)

// dataBytes is what the tokenised rows take: ids and labels, 4 bytes each, and a header an example.
func (j *Job) dataBytes() int64 {
	return 8*j.Rows.Tokens + 96*int64(j.Rows.Train+j.Rows.HeldOut)
}

// budget is what the run may take, 0 where nothing says it, and who says so.
func (j *Job) budget() (bytes int64, source string) {
	if n := int64(j.Recipe.DeviceMemory); n > 0 {
		return n, "--device_memory"
	}
	return j.dev.Caps().MemoryBudget, "this machine's free memory"
}

// short reports whether the moments are to wait in the host's memory: asked for by a paged optimiser, where the device has a
// memory of its own and nothing says that this has room for them.
func (j *Job) short() bool {
	if !j.setup.Optim.Pages() || j.dev.Caps().HostMemory {
		return false
	}
	budget, _ := j.budget()
	return budget == 0 || j.Plan.Bounded() > budget
}

// pagingSaves is how much less the run would take of the device's memory with a paged optimiser.
func (j *Job) pagingSaves() int64 {
	if j.Plan.Paged || j.dev.Caps().HostMemory {
		return 0
	}
	return j.Plan.Moments - j.setup.Optim.WindowsOf(j.setup.Trained).Bytes()
}

// checkBudget refuses a run that cannot fit, with the bytes short and the settings that would help.
func (j *Job) checkBudget() error {
	if free := cpu.AvailableMemory(); j.Plan.Paged && free > 0 && j.Plan.HostMoments > free {
		return fmt.Errorf("the moments of --optim %s need %s of this machine's memory, of which %s are free; what helps: --train_type lora, or --optim sgd, which has none",
			j.Recipe.Optim, Size(j.Plan.HostMoments), Size(free))
	}
	budget, source := j.budget()
	need := j.Plan.Bounded()
	if budget == 0 || need <= budget {
		return nil
	}
	var advice []string
	if j.pagingSaves() > 0 {
		advice = append(advice, "--optim paged_adamw")
	}
	if j.Recipe.TrainType == "full" {
		advice = append(advice, "--train_type lora")
	}
	if j.Recipe.TrainType == "lora" {
		advice = append(advice, "--train_type qlora")
	}
	if !j.Recipe.GradientCheckpointing {
		advice = append(advice, "--gradient_checkpointing true")
	}
	if j.Recipe.PerDeviceTrainBatchSize > 1 {
		advice = append(advice, "a smaller --per_device_train_batch_size")
	}
	advice = append(advice, "a smaller --max_length")
	return &TooLarge{Plan: j.Plan, Rows: j.Rows, Budget: budget, text: fmt.Sprintf("the run needs %s, %s more than %s (%s); what helps: %s. `hone plan` shows what takes how much",
		Size(need), Size(need-budget), source, Size(budget), strings.Join(advice, ", "))}
}

// TooLarge refuses a run for which there is not enough memory.
type TooLarge struct {
	Plan   wire.Plan
	Rows   wire.Rows
	Budget int64
	text   string
}

func (e *TooLarge) Error() string { return e.text }

// Is makes it a device.ErrMemory.
func (e *TooLarge) Is(target error) bool { return target == device.ErrMemory }

// Budget is how much memory the run may take, 0 where that is unknown.
func (j *Job) Budget() int64 {
	n, _ := j.budget()
	return n
}

// Size writes a number of bytes for people.
func Size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
