# The mode: what the two files say, what the endpoint answers, what is pushed to sluice. Pure.

function Get-ModeWord {
    # NORMAL or GAMING; '' for anything else. A file that is missing ($null) is a fresh install: NORMAL.
    [CmdletBinding()]
    param([AllowNull()] $Text)
    if ($null -eq $Text) { return 'NORMAL' }
    $word = ([string]$Text).Trim()
    if ($word -ceq 'NORMAL' -or $word -ceq 'GAMING') { return $word }
    return ''
}

function Get-ModelWord {
    # AWAKE, ASLEEP or STOPPED; '' for anything else. A file that is missing ($null) is AWAKE.
    [CmdletBinding()]
    param([AllowNull()] $Text)
    if ($null -eq $Text) { return 'AWAKE' }
    $word = ([string]$Text).Trim()
    if ($word -ceq 'AWAKE' -or $word -ceq 'ASLEEP' -or $word -ceq 'STOPPED') { return $word }
    return ''
}

function Get-ModeBody {
    # The JSON that sluice reads, from the endpoint and in a push. Without "available" means available.
    [CmdletBinding()]
    param([string] $Mode, [bool] $Available)
    if ($Available) { return '{"mode":"' + $Mode + '"}' }
    return '{"mode":"' + $Mode + '","available":false}'
}

function Get-ModeAnswer {
    # What the endpoint answers for the texts of the two files. A word that is not known is a 500: sluice then sees
    # "unknown" and keeps away, which is always safe.
    [CmdletBinding()]
    param([AllowNull()] $ModeText, [AllowNull()] $ModelText)
    $mode = Get-ModeWord -Text $ModeText
    if ($mode -eq '') {
        return @{ Status = 500; Body = '{"error":"mode.txt holds neither NORMAL nor GAMING"}' }
    }
    $model = Get-ModelWord -Text $ModelText
    if ($model -eq '') {
        return @{ Status = 500; Body = '{"error":"model.txt holds none of AWAKE, ASLEEP, STOPPED"}' }
    }
    return @{ Status = 200; Body = (Get-ModeBody -Mode $mode -Available ($model -eq 'AWAKE')) }
}

function Get-RequestStatus {
    # 200 where the mode is asked for, else the status of the refusal.
    [CmdletBinding()]
    param([string] $Method, [string] $Path)
    if ($Path -cne '/' -and $Path -cne '/mode') { return 404 }
    if ($Method -cne 'GET' -and $Method -cne 'HEAD') { return 405 }
    return 200
}

function Get-PushPath {
    # Where a mode is pushed to. WaitSeconds 0 waits for nothing; sluice takes ten minutes at most.
    [CmdletBinding()]
    param([string] $Gate, [int] $WaitSeconds)
    $path = '/gates/' + $Gate
    if ($WaitSeconds -le 0) { return $path }
    if ($WaitSeconds -gt 600) { $WaitSeconds = 600 }
    return $path + '?wait=drained&timeout=' + $WaitSeconds + 's'
}

function Get-PushReport {
    # What sluice's answer to a push means: a sentence, and whether all is as it was asked for. Status 0 is no answer.
    [CmdletBinding()]
    param([int] $Status, [AllowNull()] $Answer, [int] $WaitSeconds, [string] $Admin)
    if ($Status -eq 0) {
        return @{ Reached = $false; Good = $true
            Says = "sluice does not answer at $Admin. It asks this PC every second by itself: it will know a second after it is back." }
    }
    if ($Status -eq 401) {
        return @{ Reached = $true; Good = $false
            Says = 'sluice refuses the token (401). Put the router''s gate token into gate-token.txt: see README.md.' }
    }
    if ($Status -eq 404) {
        return @{ Reached = $true; Good = $false
            Says = 'sluice has no gate of this name (404). "gate" in settings.json must be the name in policy.yaml.' }
    }
    if ($Status -ne 200 -or $null -eq $Answer) {
        return @{ Reached = $true; Good = $false; Says = "sluice answered $Status at $Admin." }
    }
    $unforced = [int]$Answer.in_flight
    $forced = [int]$Answer.forced
    $says = "sluice: the gate is $($Answer.state), $unforced unforced and $forced forced in flight behind it."
    if ($WaitSeconds -gt 0 -and $unforced -gt 0) {
        return @{ Reached = $true; Good = $false; Says = "$says NOT drained after $WaitSeconds s." }
    }
    return @{ Reached = $true; Good = $true; Says = $says }
}
