package wire

// Plan is what a run needs, known before it starts. Sizes are bytes.
type Plan struct {
	Weights     int64 `json:"weights"` // of the base model, as they lie on the device; trained ones included
	Adapters    int64 `json:"adapters"`
	Gradients   int64 `json:"gradients"`
	Moments     int64 `json:"moments"`                // on the device; when they are paged, those of a layer at a time
	HostMoments int64 `json:"host_moments,omitempty"` // that wait in the host's memory: all of them when they are paged
	Activations int64 `json:"activations"`            // temporaries of the largest programs: what the backward pass needs, and what is being computed
	Workspace   int64 `json:"workspace"`              // scratch of the kernels and feeds
	Data        int64 `json:"data"`                   // the tokenised rows
	Program     int64 `json:"program"`                // the program's own: code, compiled graphs, garbage

	Paged           bool    `json:"paged,omitempty"` // the moments wait in the host's memory
	QuantisedBits   float64 `json:"quantised_bits"`  // bits a parameter of the quantised weights, 0 without any
	Parameters      int64   `json:"parameters"`
	Trainable       int64   `json:"trainable"`
	Steps           int     `json:"steps"`
	MicroBatches    int     `json:"micro_batches"` // in all
	Shapes          []Shape `json:"shapes"`
	FLOPs           float64 `json:"flops"`             // of the whole run
	MicroBatchFLOPs int64   `json:"micro_batch_flops"` // of the largest micro-batch
}

// Shape is that of a micro-batch.
type Shape struct {
	Rows   int `json:"rows"`
	Length int `json:"length"` // tokens
}

// Total is the memory that the run is expected to take.
func (p Plan) Total() int64 { return p.Bounded() + p.HostMoments }

// Bounded is what of it counts against device_memory: all but the moments that are kept away from the device.
func (p Plan) Bounded() int64 {
	return p.Weights + p.Adapters + p.Gradients + p.Moments + p.Activations + p.Workspace + p.Data + p.Program
}
