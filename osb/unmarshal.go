package osb

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
)

// Unmarshal reads JSON into a type of the API. It differs from encoding/json in
// one thing: a name stands for a field only if it is spelled alike. A vendor's
// "ID" or "Credentials" is an unknown field, and ignored (P10), where
// encoding/json would let it overwrite the API's own. An
// *json.UnmarshalTypeError names the field by its path in the JSON.
func Unmarshal(data []byte, out any) error {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return errors.New("decode into something that is no pointer")
	}
	if !respelled(data) { // as good as always: encoding/json is several times faster
		fresh := reflect.New(v.Type().Elem())
		if json.Unmarshal(data, fresh.Interface()) == nil {
			v.Elem().Set(fresh.Elem())
			return nil
		}
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return err
	}
	return unmarshal(whole, v.Elem(), "")
}

// unmarshal reads valid JSON into v, which stands at path.
func unmarshal(data []byte, v reflect.Value, path string) error {
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		return located(u.UnmarshalJSON(data), path)
	}
	if isNull(data) {
		return nil // absent
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return unmarshal(data, v.Elem(), path)
	case reflect.Struct:
		return unmarshalStruct(data, v, path)
	case reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return located(err, path)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			if err := unmarshal(item, v.Index(i), path); err != nil {
				return err
			}
		}
		return nil
	}
	return located(json.Unmarshal(data, v.Addr().Interface()), path)
}

func unmarshalStruct(data []byte, v reflect.Value, path string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return located(err, path)
	}
	// Embedded structs are seen through; what a field of the same Go name hides is left out.
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		member, ok := members[name]
		if !ok || name == "" || name == "-" {
			continue
		}
		if err := unmarshal(member, v.FieldByIndex(f.Index), strings.TrimPrefix(path+"."+name, ".")); err != nil {
			return err
		}
	}
	return nil
}

// located adds the path to an error of a value's type.
func located(err error, path string) error {
	var typed *json.UnmarshalTypeError
	if !errors.As(err, &typed) {
		return err
	}
	at := *typed
	at.Field = strings.Trim(path+"."+typed.Field, ".")
	return &at
}

func isNull(data []byte) bool { return bytes.Equal(bytes.TrimSpace(data), []byte("null")) }

// respelled says whether a name in data may be one of the API's but for its case.
func respelled(data []byte) bool {
	for {
		begin := bytes.IndexByte(data, '"') + 1
		if begin == 0 {
			return false
		}
		end := begin
		for end < len(data) && data[end] != '"' {
			if data[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(data) {
			return false // no JSON
		}
		rest := bytes.TrimLeft(data[end+1:], " \t\r\n")
		if len(rest) > 0 && rest[0] == ':' && misspelt(data[begin:end]) {
			return true
		}
		data = rest
	}
}

// misspelt says of one name whether it is, or may be, one of the API's in
// another case. Letters beyond ASCII and escapes are not looked into.
func misspelt(name []byte) bool {
	upper := false
	for _, c := range name {
		if c >= 0x80 || c == '\\' {
			return true
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	return upper && slices.Contains(apiNames[:], string(bytes.ToLower(name)))
}

// apiNames are the names of all fields that are read; a test holds them to the types.
var apiNames = [...]string{
	"allow_context_updates", "app_guid", "attributes", "bind_resource", "bindable", "binding_rotatable",
	"bindings_retrievable", "container_dir", "context", "create", "credentials", "dashboard_url", "description",
	"device", "device_type", "driver", "endpoints", "expires_at", "extra", "free", "groups", "host", "id",
	"instance_usable", "instances_retrievable", "labels", "maintenance_info", "maximum_polling_duration",
	"metadata", "mode", "mount_config", "name", "operation", "organization_guid", "organization_id",
	"parameters", "plan_id", "plan_updateable", "plans", "ports", "predecessor_binding_id", "previous_values",
	"protocol", "renew_before", "requires", "route", "route_service_url", "schemas", "service_binding",
	"service_id", "service_instance", "services", "space_guid", "space_id", "state", "syslog_drain_url", "tags",
	"uid", "update", "update_repeatable", "username", "version", "volume_id", "volume_mounts",
}
