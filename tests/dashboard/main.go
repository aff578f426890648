// Checks a dashboard against the types of Grafana: each field exists and has the right type, and no required field is missing.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboard FILE")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	runtime := cog.NewRuntime()
	runtime.RegisterPanelcfgVariant(stat.VariantConfig())
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	if err := checkFields(text); err != nil {
		return err
	}
	var board dashboard.Dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		return err
	}
	return errors.Join(board.Validate(), checkPanels(board), checkKept(text, board))
}

// Returns the required fields that are missing, and the unknown ones of queries and options.
func checkFields(text []byte) error {
	var board dashboard.Dashboard
	err := board.UnmarshalJSONStrict(text)
	// Version 0.0.22 returns an empty list of errors, which is not nil, for a valid panel.
	var problems cog.BuildErrors
	if errors.As(err, &problems) && len(problems) == 0 {
		return nil
	}
	return err
}

// Returns the panels of unknown types, since their options are not checked.
func checkPanels(board dashboard.Dashboard) error {
	var problems error
	for _, entry := range board.Panels {
		if entry.Panel == nil {
			continue
		}
		if _, found := cog.ConfigForPanelcfgVariant(entry.Panel.Type); !found {
			problems = errors.Join(problems, fmt.Errorf("panels of the type %q are unknown", entry.Panel.Type))
		}
	}
	return problems
}

// Returns the fields that the types do not have: decoding loses them.
func checkKept(text []byte, board dashboard.Dashboard) error {
	encoded, err := json.Marshal(board)
	if err != nil {
		return err
	}
	var before, after any
	if err := errors.Join(json.Unmarshal(text, &before), json.Unmarshal(encoded, &after)); err != nil {
		return err
	}
	return lost("dashboard", before, after)
}

func lost(path string, before, after any) error {
	var problems error
	switch before := before.(type) {
	case map[string]any:
		after, _ := after.(map[string]any)
		for name, value := range before {
			if kept, found := after[name]; found {
				problems = errors.Join(problems, lost(path+"."+name, value, kept))
			} else if !isEmpty(value) {
				problems = errors.Join(problems, fmt.Errorf("%s.%s: unknown field", path, name))
			}
		}
	case []any:
		after, _ := after.([]any)
		for index, value := range before {
			if index < len(after) {
				problems = errors.Join(problems, lost(fmt.Sprintf("%s[%d]", path, index), value, after[index]))
			}
		}
	}
	return problems
}

// Encoding leaves out empty values.
func isEmpty(value any) bool {
	list, isList := value.([]any)
	return isList && len(list) == 0
}
