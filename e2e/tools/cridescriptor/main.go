// cridescriptor prints the protobuf descriptor of the module k8s.io/cri-api as JSON: services, enums and messages, each field as
// name: [number, type, oneof?]. A test compares it with what the runtime itself loads, so the two cannot drift.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	v1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

type table struct {
	Package  string                         `json:"package"`
	Services map[string]map[string][]string `json:"services"`
	Enums    map[string]map[string]int32    `json:"enums"`
	Messages map[string]map[string][]any    `json:"messages"`
}

func main() {
	file := (&v1.VersionRequest{}).ProtoReflect().Descriptor().ParentFile()
	t := table{string(file.Package()), map[string]map[string][]string{}, map[string]map[string]int32{}, map[string]map[string][]any{}}
	for i := range file.Services().Len() {
		t.addService(file.Services().Get(i))
	}
	t.addEnums(file.Enums())
	t.addMessages(file.Messages())
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if err := out.Encode(t); err != nil {
		log.Fatal(err)
	}
}

func (t table) addService(s protoreflect.ServiceDescriptor) {
	methods := map[string][]string{}
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		method := []string{short(m.Input()), short(m.Output())}
		if m.IsStreamingServer() {
			method = append(method, "server stream")
		}
		methods[string(m.Name())] = method
	}
	t.Services[short(s)] = methods
}

func (t table) addEnums(enums protoreflect.EnumDescriptors) {
	for i := range enums.Len() {
		e, values := enums.Get(i), map[string]int32{}
		for j := range e.Values().Len() {
			values[string(e.Values().Get(j).Name())] = int32(e.Values().Get(j).Number())
		}
		t.Enums[short(e)] = values
	}
}

func (t table) addMessages(messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		m, fields := messages.Get(i), map[string][]any{}
		if m.IsMapEntry() {
			continue
		}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			field := []any{f.Number(), typeOf(f)}
			if o := f.ContainingOneof(); o != nil {
				field = append(field, string(o.Name()))
			}
			fields[string(f.Name())] = field
		}
		t.Messages[short(m)] = fields
		t.addEnums(m.Enums())
		t.addMessages(m.Messages())
	}
}

func typeOf(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "map<" + single(f.MapKey()) + "," + single(f.MapValue()) + ">"
	case f.IsList():
		return "repeated " + single(f)
	}
	return single(f)
}

func single(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return short(f.Message())
	case protoreflect.EnumKind:
		return short(f.Enum())
	}
	return f.Kind().String()
}

func short(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), "runtime.v1.")
}
