package osb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// RawJSON is a JSON value kept byte for byte: parameters, context, metadata,
// schemas. JSON null is read as absent (a nil RawJSON), and a nil RawJSON is
// left out when written. A []byte can be assigned to it without a conversion.
type RawJSON []byte

// MarshalJSON returns the value as it is, or null if it is empty.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy of the value; null empties it.
func (r *RawJSON) UnmarshalJSON(data []byte) error {
	if r == nil {
		return errors.New("decode into a nil RawJSON")
	}
	if isNull(data) {
		*r = nil
		return nil
	}
	*r = append((*r)[:0:0], data...)
	return nil
}

// MaintenanceInfo is the version of a plan's or instance's maintenance state.
// Versions follow semver 2.0 and are compared as plain strings (OSB 2.17, P63, P84).
type MaintenanceInfo struct {
	Version     string `json:"version,omitempty"`
	Description string `json:"description,omitempty"`
}

// ProvisionRequest asks for a new service instance: PUT /v2/service_instances/:instance_id.
type ProvisionRequest struct {
	// InstanceID is globally unique and should never be used again (P60).
	InstanceID string `json:"-"`
	// AcceptsIncomplete says that the caller can poll for the end of the work (P40).
	AcceptsIncomplete bool `json:"-"`
	// Identity is the user who asks; nil sends no originating identity header.
	Identity *Identity `json:"-"`

	ServiceID string `json:"service_id"`
	PlanID    string `json:"plan_id"`
	// OrganizationGUID and SpaceGUID are deprecated and still required (P61):
	// on Kubernetes the cluster id and the namespace UID.
	OrganizationGUID string           `json:"organization_guid"`
	SpaceGUID        string           `json:"space_guid"`
	Context          RawJSON          `json:"context,omitempty"`
	Parameters       RawJSON          `json:"parameters,omitempty"`
	MaintenanceInfo  *MaintenanceInfo `json:"maintenance_info,omitempty"`
}

// ProvisionResponse is the broker's yes to a ProvisionRequest.
type ProvisionResponse struct {
	// Async is true for 202: the work goes on, poll with LastOperation.
	Async bool `json:"-"`
	// Existed is true for 200: an identical instance was there already.
	Existed bool `json:"-"`

	// Operation goes back unchanged on each poll; empty means do not send it (P42).
	Operation    string            `json:"operation,omitempty"`
	DashboardURL *string           `json:"dashboard_url,omitempty"`
	Metadata     *InstanceMetadata `json:"metadata,omitempty"`
}

// InstanceMetadata holds labels and attributes that a broker hands out with an instance (2.16, 2.17).
type InstanceMetadata struct {
	Labels     map[string]string `json:"labels,omitempty"`
	Attributes RawJSON           `json:"attributes,omitempty"`
}

// GetInstanceRequest asks what the broker knows of an instance:
// GET /v2/service_instances/:instance_id. Platforms send it only to services
// with instances_retrievable (P70).
type GetInstanceRequest struct {
	InstanceID string
	// ServiceID and PlanID are hints; left out when empty (P71).
	ServiceID string
	PlanID    string
	Identity  *Identity
}

// GetInstanceResponse is what a broker tells about an instance. Any field may be withheld (P72).
type GetInstanceResponse struct {
	ServiceID       string            `json:"service_id,omitempty"`
	PlanID          string            `json:"plan_id,omitempty"`
	DashboardURL    *string           `json:"dashboard_url,omitempty"`
	Parameters      RawJSON           `json:"parameters,omitempty"`
	MaintenanceInfo *MaintenanceInfo  `json:"maintenance_info,omitempty"`
	Metadata        *InstanceMetadata `json:"metadata,omitempty"`
}

// UpdateRequest changes an instance: PATCH /v2/service_instances/:instance_id.
type UpdateRequest struct {
	InstanceID        string    `json:"-"`
	AcceptsIncomplete bool      `json:"-"`
	Identity          *Identity `json:"-"`

	ServiceID string `json:"service_id"`
	// PlanID left empty forbids a plan change; Parameters left nil forbid a
	// change of parameters, which {} does not (P81).
	PlanID          string           `json:"plan_id,omitempty"`
	Context         RawJSON          `json:"context,omitempty"`
	Parameters      RawJSON          `json:"parameters,omitempty"`
	MaintenanceInfo *MaintenanceInfo `json:"maintenance_info,omitempty"`
	PreviousValues  *PreviousValues  `json:"previous_values,omitempty"`
}

// PreviousValues are those in force before an update: the last successful ones, not the wished for (P85).
type PreviousValues struct {
	PlanID          string           `json:"plan_id,omitempty"`
	MaintenanceInfo *MaintenanceInfo `json:"maintenance_info,omitempty"`
	// ServiceID, OrganizationID and SpaceID are deprecated.
	ServiceID      string `json:"service_id,omitempty"`
	OrganizationID string `json:"organization_id,omitempty"`
	SpaceID        string `json:"space_id,omitempty"`
}

// UpdateResponse is the broker's yes to an UpdateRequest.
type UpdateResponse struct {
	Async bool `json:"-"`

	Operation string `json:"operation,omitempty"`
	// DashboardURL replaces the stored one; nil keeps the old (P86).
	DashboardURL *string `json:"dashboard_url,omitempty"`
	// Metadata labels replace all labels of the instance (P87).
	Metadata *InstanceMetadata `json:"metadata,omitempty"`
}

// DeprovisionRequest deletes an instance: DELETE /v2/service_instances/:instance_id.
type DeprovisionRequest struct {
	InstanceID        string
	AcceptsIncomplete bool
	// ServiceID and PlanID are required; the plan is the one the broker knows now (P105).
	ServiceID string
	PlanID    string
	Identity  *Identity
}

// DeprovisionResponse is the broker's yes to a DeprovisionRequest.
type DeprovisionResponse struct {
	Async bool `json:"-"`
	// Gone is true if the broker said 410: there was nothing to delete (P102).
	Gone      bool   `json:"-"`
	Operation string `json:"operation,omitempty"`
}

// BindRequest asks for credentials: PUT /v2/service_instances/:iid/service_bindings/:bid.
type BindRequest struct {
	InstanceID        string    `json:"-"`
	BindingID         string    `json:"-"`
	AcceptsIncomplete bool      `json:"-"`
	Identity          *Identity `json:"-"`

	ServiceID string `json:"service_id,omitempty"`
	PlanID    string `json:"plan_id,omitempty"`
	// AppGUID is the deprecated top-level form of BindResource.AppGUID.
	AppGUID      string        `json:"app_guid,omitempty"`
	BindResource *BindResource `json:"bind_resource,omitempty"`
	Context      RawJSON       `json:"context,omitempty"`
	Parameters   RawJSON       `json:"parameters,omitempty"`
	// PredecessorBindingID makes this a rotation of that binding (P99). Only
	// for plans with binding_rotatable; ServiceID and PlanID may then be empty.
	PredecessorBindingID string `json:"predecessor_binding_id,omitempty"`
}

// BindResource says what the credentials are for (P91).
type BindResource struct {
	AppGUID string `json:"app_guid,omitempty"`
	Route   string `json:"route,omitempty"`
}

// BindResponse is the broker's yes to a BindRequest. A broker may tell the
// credentials only this once (P94): store them before anything else.
type BindResponse struct {
	// Async is true for 202: no credentials here, poll and then GetBinding (P49).
	Async bool `json:"-"`
	// Existed is true for 200: an identical binding was there already.
	Existed   bool   `json:"-"`
	Operation string `json:"operation,omitempty"`
	BindingData
}

// BindingData is what a binding consists of (P93).
type BindingData struct {
	Metadata        *BindingMetadata `json:"metadata,omitempty"`
	Credentials     Credentials      `json:"credentials,omitempty"`
	SyslogDrainURL  string           `json:"syslog_drain_url,omitempty"`
	RouteServiceURL string           `json:"route_service_url,omitempty"`
	VolumeMounts    []VolumeMount    `json:"volume_mounts,omitempty"`
	Endpoints       []Endpoint       `json:"endpoints,omitempty"`
}

// Credentials is the free-form object that a bind is for. Numbers are
// json.Number, so that no digit is lost. Its text form hides the values.
type Credentials map[string]any

// UnmarshalJSON keeps numbers as they were written.
func (c *Credentials) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return err
	}
	*c = m
	return nil
}

// String names no key and no value, so that a stray %v leaks nothing.
func (c Credentials) String() string { return fmt.Sprintf("credentials(%d keys)", len(c)) }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.String() }

// VolumeMount is a volume that comes with a binding (P96).
type VolumeMount struct {
	Driver       string       `json:"driver"`
	ContainerDir string       `json:"container_dir"`
	Mode         string       `json:"mode"`
	DeviceType   string       `json:"device_type"`
	Device       SharedDevice `json:"device"`
}

// SharedDevice is the device of a VolumeMount whose device type is "shared".
type SharedDevice struct {
	VolumeID    string  `json:"volume_id"`
	MountConfig RawJSON `json:"mount_config,omitempty"`
}

// Endpoint is a network address that the application needs (P96, P97).
type Endpoint struct {
	Host string `json:"host"`
	// Ports are single ports or ranges: "443", "9000-9010".
	Ports []string `json:"ports"`
	// Protocol is tcp, udp or all; empty means tcp.
	Protocol string `json:"protocol,omitempty"`
}

// GetBindingRequest asks for a binding again: GET …/service_bindings/:bid.
type GetBindingRequest struct {
	InstanceID string
	BindingID  string
	ServiceID  string
	PlanID     string
	Identity   *Identity
}

// GetBindingResponse is what a broker tells about a binding.
type GetBindingResponse struct {
	BindingData
	Parameters RawJSON `json:"parameters,omitempty"`
}

// UnbindRequest revokes a binding: DELETE …/service_bindings/:bid.
type UnbindRequest struct {
	InstanceID        string
	BindingID         string
	AcceptsIncomplete bool
	// ServiceID and PlanID are required (P105).
	ServiceID string
	PlanID    string
	Identity  *Identity
}

// UnbindResponse is the broker's yes to an UnbindRequest.
type UnbindResponse struct {
	Async bool `json:"-"`
	// Gone is true if the broker said 410: there was nothing to revoke (P102).
	Gone      bool   `json:"-"`
	Operation string `json:"operation,omitempty"`
}
