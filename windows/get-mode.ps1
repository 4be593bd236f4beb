<#
.SYNOPSIS
Says the mode of this PC: what the files say, what the endpoint answers, what sluice makes of it.

.PARAMETER Root
The folder of the installation: otherwise the one that this script is installed in, or C:\llm.

.EXAMPLE
.\get-mode.ps1
#>
[CmdletBinding()]
param([string] $Root = '')
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force
$Root = Get-Root -Root $Root -ScriptFolder $PSScriptRoot

$settings = Get-Settings -Root $Root
$mode = Get-ModeWord -Text (Read-StateFile -Path (Join-Path $Root 'mode.txt'))
$model = Get-ModelWord -Text (Read-StateFile -Path (Join-Path $Root 'model.txt'))
if ($mode -eq '') { $mode = 'NOT KNOWN: mode.txt holds another word; write it anew with set-mode.ps1' }
if ($model -eq '') { $model = 'NOT KNOWN: model.txt holds another word; set-mode.ps1 NORMAL mends it' }
Write-Output "mode      $mode"
Write-Output "model     $model"

$local = Invoke-Http -Method 'GET' -Url "http://localhost:$($settings.modePort)/" -Seconds 2
if ($local.Status -eq 0) {
    Write-Output "endpoint  no answer: $($local.Text)"
} else {
    Write-Output "endpoint  $($local.Status) $($local.Text)"
}

$router = Invoke-Http -Method 'GET' -Url "$($settings.proxy)/v1/models/$($settings.model)" -Seconds 5
$check = Get-RouterCheck -Status $router.Status -Entry (Get-ModelEntry -Text $router.Text) -Mode $mode
Write-Output "router    $($check.Found)"
