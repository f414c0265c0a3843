// Command suites is `make test`: it runs every suite, whatever the others gave, and prints the time of each package, a
// table of the suites, and the number of tests. With arguments it runs the suites named there.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// suite is one row of the table. Its commands all run, and one that fails fails the suite.
type suite struct {
	name     string
	commands []command
}

// command is a line to run. One of tests is a `go test -json` (without vet, which is the business of check), whose tests
// are counted; it must run at least one.
type command struct {
	env   []string
	args  []string
	tests bool
	talks bool // the tests print figures worth seeing when they pass
}

func run(args ...string) command { return command{args: args} }

func test(args ...string) command {
	return command{args: append([]string{"go", "test", "-json", "-count=1", "-vet=off"}, args...), tests: true}
}

func (c command) with(env ...string) command { c.env = append(c.env, env...); return c }

func (c command) talking() command { c.talks = true; return c }

func suites() []suite {
	return []suite{
		{"check", []command{run(".ci/check.sh")}},
		{"build", []command{
			run(".ci/page.sh"),
			run("go", "build", "-o", "bin/hone", "./server"),
			run("go", "build", "./core/...", "./web/...", "./wasm/...").with("GOOS=js", "GOARCH=wasm"),
			run("go", "build", "./...").with("CGO_ENABLED=0"),
		}},
		// A machine without a WebGPU driver or a browser fails here; `make deps` brings both.
		{"unit", []command{test("-timeout", "15m", "-skip", "^(TestGolden$|TestEndToEnd)", "./...").with("HONE_REQUIRE_WEBGPU=1")}},
		// The kernels in plain Go, as every machine but amd64 has them.
		{"plain", []command{test("./core/device/cpu/...").with("GOEXPERIMENT=")}},
		{"golden", []command{test("-run", "^TestGolden$", "./server/cli").talking()}},
		// The page in a browser, as its users have it. By itself: its tests wait for a machine that has other things to do.
		{"page", []command{test("-timeout", "15m", "-run", "^TestEndToEnd", "./server/e2e").with("HONE_REQUIRE_WEBGPU=1")}},
	}
}

// count is what a command's tests gave.
type count struct{ passed, failed, skipped int }

func main() {
	names := os.Args[1:]
	var table []string
	var total count
	broken := false
	for _, s := range suites() {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		start, result := time.Now(), "ok"
		for _, c := range s.commands {
			fmt.Printf("\n== %s: %s\n", s.name, strings.Join(append(slices.Clone(c.env), c.args...), " "))
			n, err := c.run()
			if err != nil {
				fmt.Printf("suite %s: %v\n", s.name, err)
				result, broken = "FAILED", true
				n.failed = max(n.failed, 1) // the closing line never claims that all is well
			}
			total.passed, total.failed, total.skipped = total.passed+n.passed, total.failed+n.failed, total.skipped+n.skipped
		}
		table = append(table, fmt.Sprintf("%-8s %8.1f  %s", s.name, time.Since(start).Seconds(), result))
	}
	if len(table) == 0 {
		fmt.Fprintf(os.Stderr, "no suite is named %s\n", strings.Join(names, " "))
		os.Exit(2)
	}
	fmt.Printf("\n%-8s %8s  %s\n%s\n\n", "suite", "seconds", "result", strings.Join(table, "\n"))
	line := fmt.Sprintf("%d passed, %d failed", total.passed, total.failed)
	if total.skipped > 0 {
		line += fmt.Sprintf(", %d skipped", total.skipped)
	}
	fmt.Println(line)
	if broken {
		os.Exit(1)
	}
}

func (c command) run() (n count, err error) {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if !c.tests {
		return n, cmd.Run()
	}
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		return n, err
	}
	if err := cmd.Start(); err != nil {
		return n, err
	}
	n = c.follow(out)
	if err := cmd.Wait(); err != nil {
		return n, err
	}
	if n.passed == 0 {
		return n, fmt.Errorf("ran no test: %s", strings.Join(c.args, " "))
	}
	return n, nil
}

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// slow is how many seconds a test may take before it is named: these are what a suite's time is made of.
const slow = 20

// follow reads the events of one `go test -json`, prints a line for each package, what failed or was skipped and what took long, and
// counts top-level tests. A package that fails without a failed test (it does not compile, it panics) counts as one.
func (c command) follow(r io.Reader) (n count) {
	output := map[string][]string{} // of a test, and under the package's name alone of the package
	packages := map[string]count{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Print(line)
		}
		key, p := e.Package+" "+e.Test, packages[e.Package]
		top := e.Test != "" && !strings.Contains(e.Test, "/")
		if top && e.Elapsed > slow {
			fmt.Printf("slow %-36s %7.1f s  %s\n", e.Package, e.Elapsed, e.Test)
		}
		switch {
		case e.Action == "build-output":
			fmt.Print(e.Output)
		case e.Action == "output":
			if c.talks && e.Test != "" {
				fmt.Print(e.Output)
			} else if !strings.HasPrefix(e.Output, "=== ") {
				output[key] = append(output[key], e.Output)
			}
		case e.Action == "fail" && e.Test != "":
			fmt.Print(strings.Join(output[key], ""))
			if top {
				p.failed++
			}
		case e.Action == "skip" && e.Test != "":
			fmt.Printf("skip %s %s", e.Package, strings.TrimLeft(strings.Join(output[key], ""), " "))
			if top {
				p.skipped++
			}
		case e.Action == "pass" && top:
			p.passed++
		case e.Action == "fail" && e.Package != "":
			for k, lines := range output { // a test that brought the process down ends without an event of its own
				if strings.HasPrefix(k, e.Package+" ") {
					fmt.Print(strings.Join(lines, ""))
					delete(output, k)
				}
			}
			p.failed = max(p.failed, 1)
			fmt.Printf("FAIL %-36s %7.1f s  %d passed, %d failed here\n", e.Package, e.Elapsed, p.passed, p.failed)
		case e.Action == "pass" && e.Test == "" && p.passed+p.skipped > 0:
			fmt.Printf("ok   %-36s %7.1f s  %d tests\n", e.Package, e.Elapsed, p.passed)
		}
		packages[e.Package] = p
		if e.Test != "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") {
			delete(output, key)
		}
		if err != nil {
			break
		}
	}
	for _, p := range packages {
		n.passed, n.failed, n.skipped = n.passed+p.passed, n.failed+p.failed, n.skipped+p.skipped
	}
	return n
}
