<#
.SYNOPSIS
Keeps the WSL distribution running, and vLLM in it.

.DESCRIPTION
A distribution stops when no process of Windows holds it open, whatever runs in it. This holds one open, and begins anew
when it ends. It starts the container of vLLM unless the model was stopped on purpose (model.txt says STOPPED).

It runs as a scheduled task at log-on, as the user: WSL does not work for the SYSTEM account.

.PARAMETER Root
The folder of the installation: otherwise the one that this script is installed in, or C:\llm.
.PARAMETER Rounds
Ends after holding the distribution so many times, for trying it out. 0 never ends.
.PARAMETER Attempts
How often the container's start is tried, five seconds apart, each time that the distribution starts.

.EXAMPLE
.\keep-wsl.ps1
#>
[CmdletBinding()]
param(
    [string] $Root = '',
    [int] $Rounds = 0,
    [int] $Attempts = 12
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force
$Root = Get-Root -Root $Root -ScriptFolder $PSScriptRoot

$log = Join-Path (Join-Path $Root 'logs') 'wsl.log'

function Start-Model {
    # Starts it unless it was stopped on purpose. Docker takes its time after the distribution's start: some attempts.
    param($Settings)
    $attempt = 0
    while ((Get-ModelWord -Text (Read-StateFile -Path (Join-Path $Root 'model.txt'))) -ne 'STOPPED') {
        $attempt++
        try {
            Set-Container -Settings $Settings -Verb 'start'
            Write-Log -Path $log -Message 'the model''s container runs'
            return
        } catch {
            Write-Log -Path $log -Message $_.Exception.Message
        }
        if ($attempt -ge $Attempts) { return }
        Start-Sleep -Seconds 5
    }
}

$settings = Get-Settings -Root $Root
$round = 0
while ($Rounds -eq 0 -or $round -lt $Rounds) {
    $round++
    Write-Log -Path $log -Message "holding $($settings.distribution)"
    Start-Model -Settings $settings
    # ends only when the distribution does: wsl --shutdown, an update, a crash
    $held = Invoke-Wsl -Distribution $settings.distribution -Arguments @('sleep', 'infinity')
    Write-Log -Path $log -Message "$($settings.distribution) ended ($($held.Code)) $($held.Lines -join ' ')"
    Start-Sleep -Seconds 10
}
