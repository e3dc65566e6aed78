package toolbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// lifeSign is how long a build may be silent.
const lifeSign = 15 * time.Second

// progress reads what `go build -v` says, one package a line, and the folder
// that the finished programs appear in, and tells both in few lines.
type progress struct {
	round round
	out   string
	quit  chan struct{}
	done  sync.WaitGroup

	mu         sync.Mutex
	partial    []byte
	packages   int
	downloads  int
	complained []string
}

func newProgress(r round, out string) *progress {
	p := &progress{round: r, out: out, quit: make(chan struct{})}
	p.done.Go(p.watch)
	return p
}

// Write takes the output of the go command.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, b...)
	for {
		line, rest, ok := bytes.Cut(p.partial, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		p.partial = rest
		p.take(string(line))
	}
}

func (p *progress) take(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		p.downloads++
	case !strings.ContainsAny(line, " \t"):
		p.packages++
	default:
		p.complained = append(p.complained, line)
	}
}

// complaints is what the go command said beside package names.
func (p *progress) complaints() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(append(p.complained, string(p.partial)), "\n")
}

func (p *progress) stop() {
	close(p.quit)
	p.done.Wait()
}

func (p *progress) watch() {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	told := map[string]bool{}
	last := time.Now()
	for {
		select {
		case <-p.quit:
			p.tellFinished(told)
			return
		case <-tick.C:
		}
		if p.tellFinished(told) {
			last = time.Now()
		}
		if time.Since(last) >= lifeSign {
			last = time.Now()
			p.mu.Lock()
			p.round.say("... %d packages compiled, %d modules downloaded", p.packages, p.downloads)
			p.mu.Unlock()
		}
	}
}

// tellFinished says which programs have appeared since it last looked.
func (p *progress) tellFinished(told map[string]bool) bool {
	news := false
	for _, tool := range p.round.tools {
		info, err := os.Stat(filepath.Join(p.out, outputName(tool.Package)))
		if err != nil || info.Size() == 0 || told[tool.Name] {
			continue
		}
		told[tool.Name], news = true, true
		p.round.say("built %s", tool.Name)
	}
	return news
}
