{{- define "manualqa.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "manualqa.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What selects the pods of one part: a list of the root and the part. */}}
{{- define "manualqa.part" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "manualqa.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "manualqa.secret" -}}
{{ .Values.existingSecret | default (include "manualqa.name" .) }}
{{- end -}}

{{- define "manualqa.adapters" -}}
{{ .Values.adapters.existingClaim | default (printf "%s-adapters" (include "manualqa.name" .)) }}
{{- end -}}

{{- define "manualqa.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "manualqa.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* The init container that fetches the weights where they are not there yet. */}}
{{- define "manualqa.weights" -}}
- name: weights
  image: {{ include "manualqa.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [models, pull]
  envFrom: [{ configMapRef: { name: {{ include "manualqa.name" . }} } }]
  resources:
    requests: { cpu: 250m, memory: 512Mi }
    limits: { memory: 2Gi }
  {{- include "manualqa.containerSecurity" . | nindent 2 }}
  volumeMounts:
    - { name: models, mountPath: /models }
    - { name: tmp, mountPath: /tmp }
{{- end -}}

{{/* Volumes of the API or a worker: a list of the root, the size of its data folder, and the secrets that it gets. */}}
{{- define "manualqa.volumes" -}}
{{- $root := index . 0 -}}
- name: tmp
  emptyDir: { sizeLimit: 2Gi }
- name: data
  emptyDir: { sizeLimit: {{ index . 1 }} }
- name: adapters
  persistentVolumeClaim: { claimName: {{ include "manualqa.adapters" $root }} }
- name: models
{{- if $root.Values.models.persistent }}
  persistentVolumeClaim: { claimName: {{ $root.Values.models.existingClaim | default (printf "%s-models" (include "manualqa.name" $root)) }} }
{{- else }}
  emptyDir: { sizeLimit: {{ $root.Values.models.size }} }
{{- end }}
{{- if $root.Values.vllm.enabled }}
- name: served
  persistentVolumeClaim: { claimName: {{ $root.Values.vllm.modelClaim }}, readOnly: true }
{{- end }}
- name: secrets
  secret:
    secretName: {{ include "manualqa.secret" $root }}
    defaultMode: 0440
    items:
    {{- range index . 2 }}
      - { key: {{ . }}, path: {{ . }} }
    {{- end }}
{{- end -}}

{{- define "manualqa.mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: data, mountPath: /data }
- { name: adapters, mountPath: /data/adapters }
- { name: models, mountPath: /models, readOnly: true }
{{- if .Values.vllm.enabled }}
- { name: served, mountPath: /served, subPath: {{ .Values.vllm.modelPath | quote }}, readOnly: true }
{{- end }}
- { name: secrets, mountPath: /run/secrets/manualqa, readOnly: true }
{{- end -}}

{{/* A change of settings or of the chart's own secret starts the pods anew. */}}
{{- define "manualqa.checksums" -}}
checksum/settings: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
{{- end -}}
