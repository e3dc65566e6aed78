{{/*
What the Pods of both components have in common. The component's own template says
its command line, its ports and how long it may take to stop.

catalog.pod takes a dict: root, component, args (list), ports (list of name and
containerPort), graceSeconds.
*/}}
{{- define "catalog.pod" -}}
{{- $own := get .root.Values .component -}}
metadata:
  labels:
    {{- include "catalog.podLabels" . | nindent 4 }}
  {{- with $own.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "catalog.serviceAccount" . }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .graceSeconds }}
  securityContext:
    {{- toYaml .root.Values.podSecurityContext | nindent 4 }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "catalog.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        {{- concat .args $own.extraArgs | toYaml | nindent 8 }}
      env:
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        {{- with include "catalog.goMemLimit" $own.resources }}
        - name: GOMEMLIMIT
          value: {{ . }}
        {{- end }}
      ports:
        {{- toYaml .ports | nindent 8 }}
      livenessProbe:
        httpGet:
          path: /healthz
          port: health
        periodSeconds: 10
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /readyz
          port: health
        periodSeconds: 2
        failureThreshold: 2
      {{- with $own.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml .root.Values.securityContext | nindent 8 }}
  {{- if ne $own.topologySpread "None" }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: {{ $own.topologySpread }}
      labelSelector:
        matchLabels:
          {{- include "catalog.selectorLabels" $ | nindent 10 }}
      # Only Pods of the same revision count, or an upgrade would end up lopsided.
      matchLabelKeys:
        - pod-template-hash
    {{- end }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Labels of a component's Pods: the selectors', which nothing may override, the
users' own, and the version for people who look. */}}
{{- define "catalog.podLabels" -}}
{{- $selected := include "catalog.selectorLabels" . | fromYaml -}}
{{- $told := dict "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/part-of" "service-catalog" -}}
{{- merge $selected (get .root.Values .component).podLabels .root.Values.commonLabels $told | toYaml -}}
{{- end -}}

{{/* 90 % of a memory limit given in Mi or Gi, as GOMEMLIMIT wants it: the Go heap
then shrinks before the kernel ends the process. Nothing for other units. */}}
{{- define "catalog.goMemLimit" -}}
{{- $limit := dig "limits" "memory" "" . | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $limit -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Mi" $limit | atoi) 9) 10) -}}
{{- else if regexMatch "^[0-9]+Gi$" $limit -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Gi" $limit | atoi) 9216) 10) -}}
{{- end -}}
{{- end -}}

{{/* Flags that both commands take. */}}
{{- define "catalog.commonArgs" -}}
- --cert-secret={{ include "catalog.certSecret" . }}
- --metrics-bind-address={{ ternary ":8080" "0" .Values.metrics.enabled }}
- --health-probe-bind-address=:8081
- --kube-api-qps={{ .Values.kubeAPI.qps }}
- --kube-api-burst={{ .Values.kubeAPI.burst }}
- --log-level={{ .Values.log.level }}
- --log-format={{ .Values.log.format }}
{{- end -}}

{{/* Ports that both have. */}}
{{- define "catalog.commonPorts" -}}
- name: health
  containerPort: 8081
{{- if .Values.metrics.enabled }}
- name: metrics
  containerPort: 8080
{{- end }}
{{- end -}}
