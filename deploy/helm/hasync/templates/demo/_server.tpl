{{/*
A throw-away server: a Deployment of one pod, and its Service. Takes (dict "root" $ "name" "redis" "port" 6379 "uid" 999
"image" … "container" lines "volumes" lines). Its selectors are its own: nothing of it counts as an instance of hasync.
*/}}
{{- define "hasync.demoServer" -}}
{{- $full := printf "%s-demo-%s" (include "hasync.fullname" .root) .name -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}
  namespace: {{ include "hasync.namespace" .root }}
  labels:
    {{- include "hasync.demoLabels" . | nindent 4 }}
  {{- include "hasync.annotations" (dict "root" .root) }}
spec:
  selector:
    {{- include "hasync.demoSelector" . | nindent 4 }}
  ports:
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .port }}, protocol: TCP}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $full }}
  namespace: {{ include "hasync.namespace" .root }}
  labels:
    {{- include "hasync.demoLabels" . | nindent 4 }}
  {{- include "hasync.annotations" (dict "root" .root) }}
spec:
  replicas: 1
  revisionHistoryLimit: 1
  strategy: {type: Recreate}
  selector:
    matchLabels:
      {{- include "hasync.demoSelector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "hasync.demoSelector" . | nindent 8 }}
        app.kubernetes.io/part-of: hasync
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ .uid }}
        runAsGroup: {{ .uid }}
        fsGroup: {{ .uid }}
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: {{ .name }}
          image: {{ .image }}
          imagePullPolicy: IfNotPresent
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          ports:
            - {name: {{ .name }}, containerPort: {{ .port }}, protocol: TCP}
          {{- with .root.Values.demo.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- .container | nindent 10 }}
      volumes:
        {{- .volumes | nindent 8 }}
{{- end -}}

{{- define "hasync.demoSelector" -}}
app.kubernetes.io/name: {{ include "hasync.name" .root }}-demo
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "hasync.demoLabels" -}}
helm.sh/chart: {{ include "hasync.chart" .root }}
{{ include "hasync.demoSelector" . }}
app.kubernetes.io/part-of: hasync
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
