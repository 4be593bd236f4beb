# The module that all scripts of this folder share. Mode, Model, Portproxy, Setup, Tasks and Judge are pure:
# values in, values out, held to the tables in tests/tables. Outside and Vllm alone reach out.
Set-StrictMode -Version Latest
# A script's own preference does not reach into a module.
$ErrorActionPreference = 'Stop'

. (Join-Path $PSScriptRoot 'Mode.ps1')
. (Join-Path $PSScriptRoot 'Model.ps1')
. (Join-Path $PSScriptRoot 'Portproxy.ps1')
. (Join-Path $PSScriptRoot 'Setup.ps1')
. (Join-Path $PSScriptRoot 'Tasks.ps1')
. (Join-Path $PSScriptRoot 'Judge.ps1')
. (Join-Path $PSScriptRoot 'Outside.ps1')
. (Join-Path $PSScriptRoot 'Vllm.ps1')
