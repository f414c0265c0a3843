// The k greatest of each `chunk` elements of x [n]: the greater first, of equal ones that with the lower place; NaN before all.
// One workgroup takes a chunk; in every round the greatest of what its lanes have found is taken, and its lane looks for
// another. A chunk of fewer than k elements ends with places of -1. PAIRS: x are such results, and from_place has the places
// of its elements.

struct Params {
    first: u32,
    count: u32,
    n: u32,
    k: u32,
    chunk: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> places: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
#ifdef PAIRS
@group(0) @binding(4) var<storage, read> from_place: array<f32>;
#endif

const NONE = 0xffffffffu;

var<workgroup> keys: array<u32, 64>;
var<workgroup> ids: array<u32, 64>;

// The order of floats as that of whole numbers; -0 is 0, and every NaN is the greatest.
fn key_of(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return NONE;
    }
    if ((bits & 0x80000000u) == 0u) {
        return bits | 0x80000000u;
    }
    return select(~bits, 0x80000000u, bits == 0x80000000u);
}

fn value_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u));
}

// Whether a comes before b.
fn before(key_a: u32, id_a: u32, key_b: u32, id_b: u32) -> bool {
    return key_a > key_b || (key_a == key_b && id_a < id_b);
}

// What a lane has found: the greatest of its elements that comes behind those that were taken before.
var<private> best: u32;
var<private> best_id: u32;

fn look(start: u32, end: u32, behind: bool, key: u32, id: u32) {
    best = 0u;
    best_id = NONE;
    for (var i = start; i < end; i += 64u) {
        let candidate = key_of(x[i]);
#ifdef PAIRS
        if (from_place[i] < 0.0) {
            continue;
        }
        let candidate_id = u32(from_place[i]);
#else
        let candidate_id = i;
#endif
        if ((!behind || before(key, id, candidate, candidate_id)) && before(candidate, candidate_id, best, best_id)) {
            best = candidate;
            best_id = candidate_id;
        }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let number = p.first + group.x;
    let start = number * p.chunk;
    let end = min(start + p.chunk, p.n);
    look(start + lane, end, false, 0u, 0u);
    for (var round = 0u; round < p.k; round++) {
        keys[lane] = best;
        ids[lane] = best_id;
        workgroupBarrier();
        for (var half = 32u; half > 0u; half = half / 2u) {
            if (lane < half && before(keys[lane + half], ids[lane + half], keys[lane], ids[lane])) {
                keys[lane] = keys[lane + half];
                ids[lane] = ids[lane + half];
            }
            workgroupBarrier();
        }
        let key = keys[0];
        let id = ids[0];
        if (lane == 0u) {
            values[number * p.k + round] = value_of(key);
            places[number * p.k + round] = select(f32(id), -1.0, id == NONE);
        }
        if (id == best_id && id != NONE) { // this lane's has been taken
            look(start + lane, end, true, key, id);
        }
        workgroupBarrier();
    }
}
