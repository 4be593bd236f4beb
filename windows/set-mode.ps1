<#
.SYNOPSIS
Says whether somebody plays: GAMING closes the gate to this PC's card, NORMAL opens it.

.DESCRIPTION
Writes mode.txt, which the router asks for every second, and tells sluice at once. The gate is closed when this ends.
Where sluice cannot be reached it says so; the router's next question brings the mode all the same.

NORMAL brings back a model that sleeps or was stopped, waits until it is healthy, and opens the gate last.

Ends with 0 when all is as it was asked for, else with 1: something unforced still runs after -Wait, sluice refused the
push, the model did not fall asleep or does not come back.

.PARAMETER Mode
GAMING or NORMAL.
.PARAMETER Wait
Seconds to wait until nothing unforced runs on the card. 0 waits for nothing.
.PARAMETER Model
What happens to the model when it is GAMING. keep: it stays loaded. sleep: vLLM gives most of the memory back and
wakes in seconds. stop: its container is stopped. With sleep and stop not even forced requests reach it.
.PARAMETER Root
The folder of the installation: otherwise the one that this script is installed in, or C:\llm.
.PARAMETER Pause
Waits for the Enter key at the end, for the shortcuts on the desktop.

.EXAMPLE
.\set-mode.ps1 GAMING -Wait 30
.EXAMPLE
.\set-mode.ps1 GAMING -Wait 30 -Model sleep
.EXAMPLE
.\set-mode.ps1 NORMAL
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true, Position = 0)] [ValidateSet('NORMAL', 'GAMING')] [string] $Mode,
    [switch] $Pause,
    [ValidateRange(0, 600)] [int] $Wait = 0,
    [ValidateSet('keep', 'sleep', 'stop')] [string] $Model = 'keep',
    [string] $Root = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path (Join-Path $PSScriptRoot 'Sluice') 'Sluice.psd1') -Force
$Root = Get-Root -Root $Root -ScriptFolder $PSScriptRoot

$Mode = $Mode.ToUpperInvariant()
$modeFile = Join-Path $Root 'mode.txt'
$modelFile = Join-Path $Root 'model.txt'
# How long the model may take to come to rest before it sleeps or stops, where -Wait does not say.
$idleSeconds = 60
if ($Wait -gt 0) { $idleSeconds = $Wait }

function Send-Push {
    # Tells sluice what the files say; the report of it.
    param($Settings, [int] $WaitSeconds)
    $available = (Get-ModelWord -Text (Read-StateFile -Path $modelFile)) -eq 'AWAKE'
    $token = ([string](Read-StateFile -Path (Join-Path $Root 'gate-token.txt'))).Trim()
    $url = $Settings.admin + (Get-PushPath -Gate $Settings.gate -WaitSeconds $WaitSeconds)
    $answer = Invoke-Http -Method 'PUT' -Url $url -Body (Get-ModeBody -Mode $Mode -Available $available) `
        -Token $token -Seconds ($WaitSeconds + 5)
    return Get-PushReport -Status $answer.Status -Answer (ConvertFrom-JsonOrNull -Text $answer.Text) `
        -WaitSeconds $WaitSeconds -Admin $Settings.admin
}

function Push-Mode {
    # Tells sluice, and where that fails asks vLLM itself whether it has come to rest. $true when all is well.
    param($Settings)
    $waitSeconds = 0
    if ($Mode -eq 'GAMING') { $waitSeconds = $Wait }
    $report = Send-Push -Settings $Settings -WaitSeconds $waitSeconds
    if ($report.Good) { Write-Output $report.Says } else { Write-Warning $report.Says }
    $script:good = $script:good -and $report.Good
    if ($report.Reached -or $waitSeconds -eq 0) { return }
    # The router asks every second: two are enough for it to know.
    Start-Sleep -Seconds 2
    if (Wait-VllmIdle -Settings $Settings -Seconds $waitSeconds) {
        Write-Output 'vLLM itself says that nothing runs.'
    } else {
        Write-Warning "vLLM did not come to rest within $waitSeconds s, or does not say."
        $script:good = $false
    }
}

function Undo-Mark {
    # The model stays awake after all: the endpoint and sluice are told so.
    param($Settings)
    Remove-StateFile -Path $modelFile
    $report = Send-Push -Settings $Settings -WaitSeconds 0
    Write-Output $report.Says
}

function Wait-Idle {
    # Nothing may run when the model sleeps or stops: throws where something still does.
    param($Settings)
    # The close was told, or is asked for within a second.
    Start-Sleep -Seconds 2
    if (Wait-VllmIdle -Settings $Settings -Seconds $idleSeconds) { return }
    Undo-Mark -Settings $Settings
    throw "vLLM still had something to do after $idleSeconds s, or did not say: the model stays loaded. The gate is closed. Try again, with a longer -Wait."
}

function Invoke-Sleep {
    # Puts the model to sleep. Where it surely stays awake that is told; where nobody knows, the mark stays: safe.
    param($Settings)
    try {
        Suspend-Vllm -Settings $Settings
    } catch {
        $why = $_.Exception.Message
        if ((Test-VllmSleeps -Settings $Settings) -eq 'no') { Undo-Mark -Settings $Settings }
        throw $why
    }
    Write-Output 'The model sleeps; its memory is yours. Nothing reaches it, not even forced requests.'
}

function Invoke-Step {
    # One step of Get-ModeSteps.
    param([string] $Step, [string] $Mark, $Settings)
    switch ($Step) {
        'mode' { Write-StateFile -Path $modeFile -Text $Mode }
        'mark' { Write-StateFile -Path $modelFile -Text $Mark }
        'unmark' { Remove-StateFile -Path $modelFile }
        'push' { Push-Mode -Settings $Settings }
        'idle' { Wait-Idle -Settings $Settings }
        'sleep' { Invoke-Sleep -Settings $Settings }
        'wake' { Resume-Vllm -Settings $Settings }
        'stop' {
            Set-Container -Settings $Settings -Verb 'stop'
            Write-Output "The container $($Settings.container) is stopped."
        }
        'start' { Set-Container -Settings $Settings -Verb 'start' }
        'health' {
            Write-Output 'Waiting for vLLM ...'
            if (-not (Wait-VllmHealthy -Settings $Settings -Seconds ([int]$Settings.healthSeconds))) {
                throw "vLLM is not healthy after $($Settings.healthSeconds) s: docker logs $($Settings.container) in WSL says why. The gate stays as it was."
            }
        }
        default { throw "no step '$Step'" }
    }
}

$script:good = $true
$lock = $null
try {
    $settings = Get-Settings -Root $Root
    $lock = Enter-Lock -Path (Join-Path $Root 'set-mode.lock') -Seconds 60
    $now = Get-ModelWord -Text (Read-StateFile -Path $modelFile)
    $plan = Get-ModeSteps -Mode $Mode -Model $Model -Now $now
    foreach ($step in $plan.Steps) {
        if ($PSCmdlet.ShouldProcess("$Mode, model $Model", $step)) {
            Invoke-Step -Step $step -Mark $plan.Mark -Settings $settings
        }
    }
    if ($Mode -eq 'GAMING' -and $Model -eq 'keep' -and -not $WhatIfPreference) {
        if ($now -eq 'AWAKE') { Write-Output (Get-CardMemory) } else { Write-Output "The model stays $now." }
    }
} catch {
    Write-Warning $_.Exception.Message
    $script:good = $false
} finally {
    if ($null -ne $lock) { $lock.Dispose() }
}
$holds = Get-ModeWord -Text (Read-StateFile -Path $modeFile)
Write-Output "This PC is $holds."
if ($Pause) { [void](Read-Host 'Press Enter to close this window') }
if ($script:good) { exit 0 }
exit 1
