// What the tiled kernels of attention share: a workgroup of 64 takes ROWS rows (queries, or keys) against COLS columns
// (keys, or queries) at a time; PER_ROW of its invocations share a row. Vectors lie in workgroup memory STRIDE apart, one
// more than their STEPS, so that neighbouring rows lie in other banks. An invocation keeps HELD elements of a result.

#import element
#import attention_mask

var<workgroup> any_sees: atomic<u32>;
var<workgroup> some_see: u32;

// Whether anyone in the workgroup sees anything of a tile. All invocations have to ask.
fn tile_matters(sees: u32, t: u32) -> bool {
    if (t == 0u) {
        atomicStore(&any_sees, 0u);
    }
    workgroupBarrier();
    if (sees != 0u) {
        atomicStore(&any_sees, 1u);
    }
    workgroupBarrier();
    if (t == 0u) {
        some_see = atomicLoad(&any_sees);
    }
    return workgroupUniformLoad(&some_see) != 0u;
}
