package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	passes = `{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	fails = `{"Action":"output","Package":"p","Test":"TestB","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"-test.shuffle 42\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	skips = `{"Action":"output","Package":"p","Test":"TestC","Output":"=== RUN   TestC\n"}
{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:3: no database\n"}
{"Action":"skip","Package":"p","Test":"TestC"}
`
	dies = `{"Action":"output","Package":"p","Test":"TestD","Output":"panic: nil map\n"}
{"Action":"fail","Package":"p"}
`
	breaks = `{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`
	empty = `{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
{"Action":"skip","Package":"p"}
`
)

func TestAReportCountsOnlyWhatRan(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		events, allow string
		ok            bool
		want          []string
		unwanted      string
	}{
		"passing tests are silent":                {events: passes, ok: true, want: []string{"ok  \tp", "1 passed, 0 failed, 0 skipped"}, unwanted: "chatter"},
		"a failing test shows its output":         {events: passes + fails, want: []string{"want 1, got 2", "1 passed, 1 failed"}},
		"a skip fails the run and says why":       {events: passes + skips, want: []string{"TestC: c_test.go:3: no database, in p", "1 passed, 1 failed, 0 skipped"}},
		"a skip for an allowed reason is no fail": {events: passes + skips, allow: "^TestC:.*no data", ok: true, want: []string{"1 passed, 0 failed, 1 skipped"}},
		"a skip for another reason still fails":   {events: passes + skips, allow: "KUBE", want: []string{"no database"}},
		"a skip of another test still fails":      {events: passes + skips, allow: "^TestD:.*no data", want: []string{"no database"}},
		"a panic shows the test that never ended": {events: dies, want: []string{"panic: nil map", "1 failed"}},
		"a build error is shown and fails":        {events: breaks, want: []string{"undefined: x", "1 failed"}},
		"packages without tests are no run":       {events: empty, want: []string{"no test ran"}},
		"no events are no run":                    {want: []string{"no test ran"}},
		"what is not JSON is passed on":           {events: "go: no such flag\n", want: []string{"go: no such flag"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			ok, err := run(strings.NewReader(tc.events), &out, tc.allow, false)
			require.NoError(t, err)
			assert.Equal(t, tc.ok, ok)
			for _, want := range tc.want {
				assert.Contains(t, out.String(), want)
			}
			if tc.unwanted != "" {
				assert.NotContains(t, out.String(), tc.unwanted)
			}
		})
	}
}

func TestTheShuffleSeedIsShownOnceAndOnlyToRepeatAFailure(t *testing.T) {
	t.Parallel()
	var failed, passed strings.Builder
	_, err := run(strings.NewReader(passes+fails), &failed, "", false)
	require.NoError(t, err)
	_, err = run(strings.NewReader(strings.ReplaceAll(fails, `"fail"`, `"pass"`)), &passed, "", false)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(failed.String(), "-test.shuffle 42"))
	assert.NotContains(t, passed.String(), "shuffle")
}

func TestAVerboseReportShowsEverythingOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	ok, err := run(strings.NewReader(passes+fails), &out, "", true)
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Equal(t, 1, strings.Count(out.String(), "chatter"))
	assert.Equal(t, 1, strings.Count(out.String(), "want 1, got 2"))
}
