// A row is the work of one invocation or, with TILED, of a workgroup: then neighbours read neighbouring elements, which
// GPUs like, and meet in workgroup memory, which software adapters do not like.
//
// LANES: invocations of a row, a power of two, 1 without TILED. WORKGROUP: invocations of a workgroup, with TILED as many.

#ifdef TILED

var<workgroup> meeting: array<f32, LANES>;

fn row_of(id: u32, group: u32) -> u32 {
    return group;
}

fn lane_of(local: u32) -> u32 {
    return local;
}

// The sum of what the lanes of a row bring, in a fixed order.
fn across(v: f32, lane: u32) -> f32 {
    workgroupBarrier();
    meeting[lane] = v;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        if (lane < half) {
            meeting[lane] += meeting[lane + half];
        }
        workgroupBarrier();
    }
    return meeting[0];
}

// The largest of what the lanes of a row bring.
fn across_max(v: f32, lane: u32) -> f32 {
    workgroupBarrier();
    meeting[lane] = v;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        if (lane < half) {
            meeting[lane] = max(meeting[lane], meeting[lane + half]);
        }
        workgroupBarrier();
    }
    return meeting[0];
}

#else

fn row_of(id: u32, group: u32) -> u32 {
    return id;
}

fn lane_of(local: u32) -> u32 {
    return 0u;
}

fn across(v: f32, lane: u32) -> f32 {
    return v;
}


fn across_max(v: f32, lane: u32) -> f32 {
    return v;
}

#endif
