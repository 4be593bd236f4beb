# What happens to the model when the mode changes: the steps, and what vLLM and the card say. Pure.

function Get-ModeSteps {
    # The steps to a mode, in order. The order is the point: "available": false is said from before the sleep until
    # after the wake, since a sleeping vLLM has died of requests; and nothing may run when it falls asleep.
    #
    #   mode    write mode.txt                     push    tell sluice
    #   mark    write model.txt (Mark)             idle    wait until vLLM has nothing to do
    #   unmark  remove model.txt                   sleep, wake, stop, start, health: vLLM
    [CmdletBinding()]
    param([string] $Mode, [string] $Model, [string] $Now)
    if ($Mode -eq 'NORMAL') { return Get-NormalSteps -Now $Now }
    if ($Model -eq 'keep') { return @{ Mark = ''; Steps = @('mode', 'push') } }
    if ($Now -eq 'STOPPED' -and $Model -eq 'sleep') { return @{ Mark = ''; Steps = @('mode', 'push') } }
    if ($Now -eq 'STOPPED') { return @{ Mark = ''; Steps = @('mode', 'push', 'stop') } }
    if ($Model -eq 'sleep') { return @{ Mark = 'ASLEEP'; Steps = @('mode', 'mark', 'push', 'idle', 'sleep') } }
    return @{ Mark = 'STOPPED'; Steps = @('mode', 'mark', 'push', 'idle', 'stop') }
}

function Get-NormalSteps {
    # Back to NORMAL: the model first, the gate last. What model.txt says is not trusted where it is not known.
    [CmdletBinding()]
    param([string] $Now)
    switch ($Now) {
        'AWAKE' { return @{ Mark = ''; Steps = @('mode', 'push') } }
        'ASLEEP' { return @{ Mark = ''; Steps = @('wake', 'health', 'unmark', 'mode', 'push') } }
        'STOPPED' { return @{ Mark = ''; Steps = @('start', 'health', 'unmark', 'mode', 'push') } }
        default { return @{ Mark = ''; Steps = @('start', 'health', 'wake', 'health', 'unmark', 'mode', 'push') } }
    }
}

function Get-RunningRequests {
    # How many requests vLLM runs or holds, from the text of its /metrics; -1 where it does not say.
    [CmdletBinding()]
    param([AllowEmptyString()] [string] $Metrics)
    $found = [regex]::Matches($Metrics, '(?m)^vllm:num_requests_(?:running|waiting)(?:\{[^}\r\n]*\})? ([0-9]+)')
    if ($found.Count -eq 0) { return -1 }
    $sum = 0
    foreach ($match in $found) { $sum += [int]$match.Groups[1].Value }
    return $sum
}

function Get-MemorySentence {
    # What nvidia-smi's lines "used, total" (MiB) mean while the model stays loaded.
    [CmdletBinding()]
    param([AllowNull()] $Lines)
    foreach ($line in @($Lines)) {
        if ([string]$line -match '^\s*(\d+)\s*,\s*(\d+)\s*$') {
            return "The model stays loaded: $($Matches[1]) of $($Matches[2]) MiB of the card are in use, most of it the model's. -Model sleep gives it back."
        }
    }
    return 'The model stays loaded; nvidia-smi does not say how much of the card that is. -Model sleep gives it back.'
}

function Split-CurlAnswer {
    # What curl printed with -w '%{http_code}': the body, and behind it the status of three digits (000: no answer).
    [CmdletBinding()]
    param([int] $Code, [AllowNull()] $Lines)
    $text = (@($Lines) -join "`n")
    if ($Code -ne 0 -or $text -notmatch '(?s)^(.*)(\d{3})$') {
        return @{ Status = 0; Text = $text }
    }
    return @{ Status = [int]$Matches[2]; Text = $Matches[1] }
}
