var live=d.querySelector("[data-refresh]");
if(live){var touched=false;["input","toggle","click","keydown"].forEach(function(n){d.addEventListener(n,function(){touched=true},true)});
setInterval(function(){if(!touched&&!/[=]/.test(location.hash))location.reload()},60000)}
