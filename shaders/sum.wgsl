// total = the sum of x or, with SQUARES, of its squares, by one workgroup. ADD: the number in before is added.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // elements, or groups of four
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> total: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<E>;
#ifdef ADD
@group(0) @binding(3) var<storage, read> before: array<f32>;
#endif

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = E();
    for (var i = lane; i < p.n; i += 64u) {
#ifdef SQUARES
        sum += x[i] * x[i];
#else
        sum += x[i];
#endif
    }
    sums[lane] = sum_of(sum);
    workgroupBarrier();
    for (var half = 32u; half > 0u; half = half / 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if (lane == 0u) {
#ifdef ADD
        total[0] = before[0] + sums[0];
#else
        total[0] = sums[0];
#endif
    }
}
