// Package kernel holds the fast float32 loops of the CPU device: matrix products, attention, exponentials, norms and the
// optimiser's update. Plain slices go in, plain slices come out; nothing here knows of graphs or tensors.
//
// Threads. A [Pool] owns the worker goroutines and one block of scratch memory for each. Work is split over outputs only, so
// a result never depends on the number of workers. Results may differ in the last bits between instruction sets (see [ISA]).
// One pool runs one job at a time; calls from several goroutines queue up.
//
//	p := NewPool(2); defer p.Close()
//	p.Run(units, func(worker, lo, hi int) { … })  // [0, units) in pieces, on all workers
//	p.Reserve(GemmScratch)                        // scratch per worker, in floats (see also AttentionScratch); afterwards nothing is allocated
//
// Matrix products, row-major: C[m,n] = alpha·op(A)[m,k]·op(B)[k,n], or added onto C:
//
//	p.Gemm(m, n, k, alpha, Rows(x, k), WeightT(w, k), c, n, false)       // x·Wᵀ  with W [n,k]
//	p.Gemm(m, n, k, alpha, Rows(dy, k), Weight(w, n), c, n, false)       // dy·W  with W [k,n]
//	p.Gemm(m, n, k, alpha, Cols(dy, m), Weight(x, n), c, n, true)        // dyᵀ·x with dy [k,m], x [k,n]
//	PanelsT, Panels                                                     // W packed once by PackInPlace
//	CodedT, Coded                                                       // W decoded block by block (NF4)
//
// Attention, streamed, with grouped heads, segments and windows: [Pool.AttentionForward], [Pool.AttentionBackward].
//
// Loops over slices, on the caller's goroutine: [Exp], [Sigmoid], [SiLU], [SwiGLU], [SwiGLUGrad], [GELU], [GELUGrad], [GEGLU], [GEGLUGrad],
// [SoftmaxStats], [SoftmaxGrad], [Dot], [Axpy], [SumSquares], [AdamW], [RMSNorm], [RMSNormGrad], [LayerNorm], [LayerNormGrad].
//
// Every inner loop exists in plain Go, and for amd64 built with GOEXPERIMENT=simd also for AVX2 and AVX-512; the widest that
// the processor has is taken at start.
package kernel
