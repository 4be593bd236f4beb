# vLLM inside WSL, asked with curl from within: its development endpoints are forwarded nowhere.

function Invoke-Vllm {
    # One request to vLLM itself; Status 0 where there is no answer.
    [CmdletBinding()]
    param($Settings, [string] $Method, [string] $Path, [int] $Seconds)
    $asked = Invoke-Wsl -Distribution $Settings.distribution -Arguments @('curl', '--silent', '--max-time', [string]$Seconds,
        '--request', $Method, '--write-out', '%{http_code}', "$($Settings.control)$Path")
    return Split-CurlAnswer -Code $asked.Code -Lines $asked.Lines
}

function Test-VllmSleeps {
    # yes, no, or unknown where vLLM does not answer. Without VLLM_SERVER_DEV_MODE=1 (404) it cannot sleep.
    [CmdletBinding()]
    param($Settings)
    $answer = Invoke-Vllm -Settings $Settings -Method 'GET' -Path '/is_sleeping' -Seconds 10
    if ($answer.Status -eq 404) { return 'no' }
    if ($answer.Status -ne 200) { return 'unknown' }
    if ($answer.Text -match '"is_sleeping"\s*:\s*true') { return 'yes' }
    return 'no'
}

function Wait-VllmIdle {
    # Waits until vLLM has nothing to do, twice in a row: what was on the wire when the gate closed may still arrive. $true
    # when it came to rest. Falling asleep with a request at work has killed it.
    [CmdletBinding()]
    param($Settings, [int] $Seconds)
    $until = [DateTime]::UtcNow.AddSeconds($Seconds)
    $rests = 0
    while ($true) {
        $answer = Invoke-Vllm -Settings $Settings -Method 'GET' -Path '/metrics' -Seconds 5
        $running = -1
        if ($answer.Status -eq 200) { $running = Get-RunningRequests -Metrics $answer.Text }
        if ($running -eq 0) { $rests++ } else { $rests = 0 }
        if ($rests -ge 2) { return $true }
        if ([DateTime]::UtcNow -gt $until) { return $false }
        Start-Sleep -Milliseconds 500
    }
}

function Wait-VllmHealthy {
    # Waits until vLLM answers its health check. $true when it did.
    [CmdletBinding()]
    param($Settings, [int] $Seconds)
    $until = [DateTime]::UtcNow.AddSeconds($Seconds)
    while ($true) {
        $answer = Invoke-Vllm -Settings $Settings -Method 'GET' -Path '/health' -Seconds 5
        if ($answer.Status -eq 200) { return $true }
        if ([DateTime]::UtcNow -gt $until) { return $false }
        Start-Sleep -Seconds 1
    }
}

function Suspend-Vllm {
    # Puts the model to sleep, if it is not asleep. Throws where it is not known to sleep afterwards.
    [CmdletBinding()]
    param($Settings)
    if ((Test-VllmSleeps -Settings $Settings) -eq 'yes') { return }
    $answer = Invoke-Vllm -Settings $Settings -Method 'POST' -Path '/sleep?level=1' -Seconds 120
    if ($answer.Status -eq 404) {
        throw 'vLLM has no sleep mode: start it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1, or use -Model stop.'
    }
    if ($answer.Status -ne 200 -or (Test-VllmSleeps -Settings $Settings) -ne 'yes') {
        throw "vLLM did not fall asleep (status $($answer.Status)). -Model stop ends it for certain."
    }
}

function Resume-Vllm {
    # Wakes the model, if it is asleep.
    [CmdletBinding()]
    param($Settings)
    if ((Test-VllmSleeps -Settings $Settings) -ne 'yes') { return }
    $answer = Invoke-Vllm -Settings $Settings -Method 'POST' -Path '/wake_up' -Seconds 120
    if ($answer.Status -ne 200) { throw "vLLM does not wake up (status $($answer.Status)). Restart its container: set-mode.ps1 GAMING -Model stop, then set-mode.ps1 NORMAL." }
}

function Set-Container {
    # docker start or docker stop of the container; both are content where it is so already.
    [CmdletBinding()]
    param($Settings, [ValidateSet('start', 'stop')] [string] $Verb)
    $done = Invoke-Wsl -Distribution $Settings.distribution -Arguments @('docker', $Verb, $Settings.container)
    if ($done.Code -ne 0) { throw "docker $Verb $($Settings.container) failed in WSL ($($Settings.distribution)): $($done.Lines -join ' ')" }
}

function Get-CardMemory {
    # A sentence about the card's memory while the model stays loaded.
    $asked = Invoke-Native -File 'nvidia-smi.exe' -Arguments @('--query-gpu=memory.used,memory.total', '--format=csv,noheader,nounits')
    if ($asked.Code -ne 0) { return Get-MemorySentence -Lines $null }
    return Get-MemorySentence -Lines $asked.Lines
}
