// Links rows of equal ids: after[i] is the next row with the id of row i, or rows where there is none; a row that is the
// first with its id has first_row[i] = 1. Negative ids are the first of nothing.

struct Params {
    first: u32,
    rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> first_row: array<u32>;
@group(0) @binding(2) var<storage, read_write> after: array<u32>;
@group(0) @binding(3) var<storage, read> ids: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.rows) {
        return;
    }
    let mine = ids[i];
    var leads = select(0u, 1u, mine >= 0);
    for (var j = 0u; j < i; j++) {
        if (ids[j] == mine) {
            leads = 0u;
            break;
        }
    }
    var next = i + 1u;
    while (next < p.rows && ids[next] != mine) {
        next++;
    }
    first_row[i] = leads;
    after[i] = next;
}
