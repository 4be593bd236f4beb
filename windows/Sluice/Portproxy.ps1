# Windows' portproxy: what netsh and WSL say, and what has to change. Pure.

function ConvertFrom-PortproxyTable {
    # The rules in the lines of `netsh interface portproxy show v4tov4`. The headings are translated by Windows; the
    # rules are not: two addresses with two ports.
    [CmdletBinding()]
    param([AllowNull()] $Lines)
    foreach ($line in @($Lines)) {
        if ([string]$line -match '^\s*(\*|[0-9.]+)\s+([0-9]+)\s+(\S+)\s+([0-9]+)\s*$') {
            @{ ListenAddress = $Matches[1]; ListenPort = [int]$Matches[2]
                ConnectAddress = $Matches[3]; ConnectPort = [int]$Matches[4] }
        }
    }
}

function Test-UsableAddress {
    # Whether it is an IPv4 address that something else can reach: no loopback, no link-local, nothing unspecified.
    [CmdletBinding()]
    param([AllowNull()] $Address)
    if ([string]$Address -notmatch '^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$') { return $false }
    $parts = @([int]$Matches[1], [int]$Matches[2], [int]$Matches[3], [int]$Matches[4])
    foreach ($part in $parts) { if ($part -gt 255) { return $false } }
    if ($parts[0] -eq 0 -or $parts[0] -eq 127 -or $parts[0] -ge 224) { return $false }
    return -not ($parts[0] -eq 169 -and $parts[1] -eq 254)
}

function ConvertFrom-RouteLine {
    # The address that WSL itself would use towards the LAN: `src` of `ip -4 route get ADDRESS`. Not the first of
    # `hostname -I`, which lists docker's bridges too. '' where there is none.
    [CmdletBinding()]
    param([AllowNull()] $Lines)
    foreach ($line in @($Lines)) {
        if ([string]$line -match '\bsrc\s+([0-9.]+)') {
            $source = $Matches[1]
            if (Test-UsableAddress -Address $source) { return $source }
        }
    }
    return ''
}

function ConvertFrom-NetworkingMode {
    # `wslinfo --networking-mode`: nat, mirrored, or what else WSL knows. A WSL too old to have wslinfo is nat.
    [CmdletBinding()]
    param([int] $Code, [AllowNull()] $Lines)
    if ($Code -ne 0) { return 'nat' }
    foreach ($line in @($Lines)) {
        $word = ([string]$line).Trim().ToLowerInvariant()
        if ($word -match '^[a-z]+$') { return $word }
    }
    return 'nat'
}

function Get-PortproxyArguments {
    # netsh's arguments to add or delete a rule. `delete` must name the same listen address and port.
    [CmdletBinding()]
    param([string] $Verb, $Rule)
    $arguments = @('interface', 'portproxy', $Verb, 'v4tov4',
        "listenaddress=$($Rule.ListenAddress)", "listenport=$($Rule.ListenPort)")
    if ($Verb -eq 'delete') { return $arguments }
    return $arguments + @("connectaddress=$($Rule.ConnectAddress)", "connectport=$($Rule.ConnectPort)")
}

function Test-SameRule {
    # Whether two rules say the same.
    [CmdletBinding()]
    param($One, $Other)
    return ($One.ListenAddress -eq $Other.ListenAddress -and [int]$One.ListenPort -eq [int]$Other.ListenPort -and
        $One.ConnectAddress -eq $Other.ConnectAddress -and [int]$One.ConnectPort -eq [int]$Other.ConnectPort)
}

function Get-PortproxyPlan {
    # What has to change so that the wanted rule ($null: none) stands. Ours is the rule that was remembered; any other
    # rule is somebody else's and stays. One of those where ours has to listen is a conflict: nothing is done.
    #   -> Delete: our old rule or $null; Add: the wanted rule or $null; Conflict: the other's rule or $null
    [CmdletBinding()]
    param([AllowNull()] $Rules, [AllowNull()] $Wanted, [AllowNull()] $Remembered)
    $plan = @{ Delete = $null; Add = $Wanted; Conflict = $null }
    foreach ($rule in @($Rules)) {
        if ($null -eq $rule) { continue }
        if ($null -ne $Wanted -and (Test-SameRule -One $rule -Other $Wanted)) {
            $plan.Add = $null
        } elseif ($null -ne $Remembered -and (Test-SameRule -One $rule -Other $Remembered)) {
            $plan.Delete = $rule
        } elseif ($null -ne $Wanted -and (Test-SameListener -Rule $rule -Wanted $Wanted)) {
            return @{ Delete = $null; Add = $null; Conflict = $rule }
        }
    }
    return $plan
}

function Test-SameListener {
    # Whether a rule listens where the wanted one has to: the same port, on its address or on all.
    [CmdletBinding()]
    param($Rule, $Wanted)
    if ([int]$Rule.ListenPort -ne [int]$Wanted.ListenPort) { return $false }
    return ($Rule.ListenAddress -eq $Wanted.ListenAddress -or $Rule.ListenAddress -eq '*' -or
        $Rule.ListenAddress -eq '0.0.0.0')
}

function Test-DistributionRuns {
    # Whether a distribution is among the lines of `wsl --list --running --quiet`. They may carry NULs where WSL_UTF8
    # is not known to that WSL.
    [CmdletBinding()]
    param([string] $Distribution, [AllowNull()] $Lines)
    foreach ($line in @($Lines)) {
        if (([string]$line).Replace("`0", '').Trim() -eq $Distribution) { return $true }
    }
    return $false
}
